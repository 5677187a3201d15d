#pragma once

#include "runtime/heap_core.hpp"

#include <atomic>

namespace perfloc::detail {

/// law [remset]: records the reference in `slot` to `target` where their regions need it. Both are in the heap.
void record_reference(HeapCore& heap, std::atomic<void*>& slot, void* target);

}  // namespace perfloc::detail
