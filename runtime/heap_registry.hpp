#pragma once

namespace perfloc::detail {

struct HeapCore;

/// The address ranges of all heaps of the process, to tell a slot in another heap from one on the stack. Looked at on
/// error paths and by stores outside the heap only; no behaviour of a correct program depends on it.
void register_heap(const HeapCore& heap);
void unregister_heap(const HeapCore& heap);
bool in_any_heap(const void* address);

}  // namespace perfloc::detail
