#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/detail/fwd.hpp>

#include <chrono>

namespace perfloc {

namespace detail {
struct MutatorCore;
PERFLOC_API void poll();
PERFLOC_API void idle_until(std::chrono::steady_clock::time_point until);
}  // namespace detail

/// The calling thread may allocate in `heap` while this lives. Opens the mutator's outermost scope; detaching ends it,
/// and what other scopes or global handles still reach of it is promoted to the root scope. Throws AttachError when the
/// thread is attached already (it is attached to one heap at a time), or when the heap has a mutator: this version runs
/// one at a time.
class PERFLOC_API Mutator {
public:
    explicit Mutator(Heap& heap);
    /// Aborts when a scope of this mutator is open, or on another thread. Handles that are left read null from then on
    /// and are reported.
    ~Mutator();
    Mutator(const Mutator&) = delete;
    Mutator& operator=(const Mutator&) = delete;

    /// A safepoint: the only place where objects of open scopes move, and where `full` collects. O(1) where there is
    /// nothing to do; does nothing inside constructors and destructors of managed objects.
    void poll() { detail::poll(); }
    /// A safepoint that lends this thread's time to the collector: returns at `until`, or before when nothing is left
    /// to do.
    void idle_until(std::chrono::steady_clock::time_point until) { detail::idle_until(until); }

private:
    detail::MutatorCore* core_;
};

/// The safepoint of the calling thread's mutator. Throws AttachError where there is none.
inline void poll() { detail::poll(); }

}  // namespace perfloc
