#pragma once

#include <perfloc/detail/hot.hpp>

#include <memory>

namespace perfloc::detail {

struct HeapCore;
struct MutatorCore;

/// The calling thread becomes the heap's mutator. Throws AttachError.
MutatorCore* attach(HeapCore& heap);
/// Makes the calling thread the mutator of a heap that has none, in its root scope, while it lives: for destructors that run
/// without one. The thread may be attached to another heap. Throws AttachError where another thread is the mutator; handles that are left read null afterwards.
class StandInMutator {
public:
    explicit StandInMutator(HeapCore& heap);
    ~StandInMutator();
    StandInMutator(const StandInMutator&) = delete;
    StandInMutator& operator=(const StandInMutator&) = delete;

private:
    HeapCore& heap_;
    Hot before_;
    mutable MutatorCore core_;  // others write it, whoever keeps this
};

/// Ends the outermost scope; handles that are left read null.
void detach(MutatorCore* mutator) noexcept;

}  // namespace perfloc::detail
