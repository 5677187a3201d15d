#pragma once

namespace perfloc::detail {

struct HeapCore;
struct MutatorCore;

/// The calling thread becomes the heap's mutator. Throws AttachError.
MutatorCore* attach(HeapCore& heap);
/// Ends the outermost scope; handles that are left read null.
void detach(MutatorCore* mutator) noexcept;

}  // namespace perfloc::detail
