#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/detail/fwd.hpp>
#include <perfloc/units.hpp>

#include <chrono>
#include <cstddef>

namespace perfloc {

namespace detail {
struct MutatorCore;
PERFLOC_API void poll();
PERFLOC_API void idle_until(std::chrono::steady_clock::time_point until);
PERFLOC_API bool collect_until(std::chrono::steady_clock::time_point until);
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

    /// A safepoint: collects on until nothing is left to collect, or until `until`. True if nothing is left.
    bool collect_until(std::chrono::steady_clock::time_point until) { return detail::collect_until(until); }

private:
    detail::MutatorCore* core_;
};

/// The safepoint of the calling thread's mutator. Throws AttachError where there is none.
inline void poll() { detail::poll(); }

/// While it lives, the calling mutator is given no slice: polls do nothing. `bytes` are made available up front, their pages
/// touched and kept, or the constructor throws OutOfMemory at once. What is allocated beyond them may come to the limit: there a
/// stall comes before OutOfMemory, as always. What asks for a collection by name (Heap::collect_full()) has it. They are counted
/// in blocks of 256 KiB: what is left free at the ends of these, behind objects that do not fit any more, counts too (an eighth at
/// most for objects of up to 32 KiB, up to a half for larger ones). May be nested: what an outer one was promised and has not used
/// stays promised. Ends with the mutator it began with, before that is destroyed (else aborts). The constructor may take long (it commits, and may wait for a collection,
/// but not inside constructors and destructors of managed objects).
class PERFLOC_API NoPause {
public:
    explicit NoPause(Bytes bytes = 0);
    ~NoPause();
    NoPause(const NoPause&) = delete;
    NoPause& operator=(const NoPause&) = delete;

private:
    detail::MutatorCore* mutator_;
    Bytes outer_;  ///< of what the ones around it were promised, what had not been used when it began
};

}  // namespace perfloc
