#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "gc/phase.hpp"
#include "runtime/heap_core.hpp"

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// Collects the whole heap in one pause: mark from the handles, destroy, compact inside each region. Objects stay in their
/// regions. The mutator's cursors must be stored; they are changed.
class FullCollection {
public:
    FullCollection(HeapCore& heap, MarkBitmap& marks, PhaseOwner& phase) : heap_(heap), marks_(marks), phase_(phase) {}

    void run(bool move_all, CollectionReason reason);

private:
    void find_regions();
    void mark();
    void clear_weak_handles();
    void destroy();

    HeapCore& heap_;
    MarkBitmap& marks_;
    PhaseOwner& phase_;
    detail::List<Region*> regions_{heap_.chunks};  // innermost first
    std::size_t destroyed_ = 0;
    FullCollectionReport report_;
};

}  // namespace perfloc::gc
