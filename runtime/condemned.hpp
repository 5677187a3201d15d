#pragma once

#include "runtime/heap_core.hpp"

#include <atomic>

/// Which memory a collection looks at, as the mutator sees it, and what it is told.
namespace perfloc::detail {

/// A collection of open scopes that has begun comes to this region yet. O(ended scopes around it that wait).
bool to_be_frozen(const HeapCore& heap, const Region& region);

/// The running collection looks at the region.
inline bool looks_at(const HeapCore& heap, std::uint32_t region) {
    return heap.regions.record(region).looked_at != 0 ||
           (heap.collection.open.freezing && to_be_frozen(heap, heap.regions.at(region)));
}

/// Before the memory of an open region changes: cursors, spans, objects with destructors. Its fields must be true (store_hot).
inline void freeze_before_change(HeapCore& heap, Region& region) {
    if (heap.collection.open.freezing) [[unlikely]]
        heap.collector->freeze(region);
}

/// In the set of the running collection, and not settled yet.
inline bool in_set(HeapCore& heap, const void* address) {
    const std::uint32_t region = heap.regions.resolve(heap.pages.region_at(address));
    if (!looks_at(heap, region)) return false;
    if (!heap.collection.pressure)
        return true;  // an ended region gets nothing new, and gives its pages away as it settles
    const Span& span = heap.pages.span_at(address);
    return span.generation <= heap.collection.start_generation && span.settled != heap.collection.cycle;
}

/// In an ended region that the next collection looks at: not in one that is collected in its own end, and so gone before that.
inline bool is_waiting(HeapCore& heap, const void* address) {
    const std::uint32_t region = heap.regions.resolve(heap.pages.region_at(address));
    return heap.regions.state(region) == RegionState::condemned && heap.regions.at(region).condemned_as != 0 &&
           !in_set(heap, address);
}

/// Protocol P20: the running collection may have to walk a slot of the region's dead yet, and what that refers to may be named by a raw
/// pointer when the region has ended. (One that was got by an object of a scope that is not detached is good until that scope
/// ends: law [raw].)
inline bool is_source(const HeapCore& heap, const Region& ended) {
    return ended.detached && (ended.attention & kSource) != 0 && heap.collection.gathers();
}

/// Keeps an object of a condemned region alive; ignores others.
void shade(HeapCore& heap, void* object);

/// The hot words that say whether stores and handles must be looked at are true again.
void update_watch(HeapCore& heap);

/// law [remset], protocol P8: the reference in `slot` to `target`, which is in the set, is recorded whatever the slot's
/// region is, so that an evacuation finds it.
void record_condemned(HeapCore& heap, std::atomic<void*>& slot, void* target, std::uint32_t from, std::uint32_t to);

}  // namespace perfloc::detail
