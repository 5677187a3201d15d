#include "runtime/condemned.hpp"

#include "runtime/schedule_point.hpp"

namespace perfloc::detail {

namespace {

/// No mutator is this one.
const MutatorCore* const kNobody = reinterpret_cast<const MutatorCore*>(std::uintptr_t{1});

}  // namespace

/// What has ended since it began was frozen before. A scope's spare counts as open, and nothing names it.
bool to_be_frozen(const HeapCore& heap, const Region& region) {
    const OpenSet& set = heap.collection.open;
    const Region* open = &region;
    for (; heap.regions.state(*open) == RegionState::condemned; open = open->enclosing) {
        if (heap.regions.record(*open).looked_at != 0) return true;
        // Not what is collected in its own end.
        if (open->condemned_as == 0 || open->condemned_as > set.last_condemned) return false;
    }
    if (heap.regions.state(*open) != RegionState::open || open->birth > set.last_birth) return false;
    return set.outermost == heap.root ||
           key_encloses(heap.regions.record(*set.outermost).key, heap.regions.record(*open).key);
}

void shade(HeapCore& heap, void* object) {
    CollectionState& collection = heap.collection;
    schedule_point();
    const bool settling = collection.mode == BarrierMode::settling;
    if (collection.waiting == 0) {
        if (settling) return;
        if (collection.shades.size() < collection.unsorted_shades) return collection.shades.push(heap.chunks, object);
    }
    if (in_set(heap, object)) {
        // What is marked needs no shade: so shades come to an end (law [progress]).
        if (collection.mode == BarrierMode::gathering || (!settling && !heap.collector->marked(object))) {
            collection.shades.push(heap.chunks, object);
        }
        // A region that waits may adopt it, and be collected before the next poll. What dies must not be kept, though a
        // destructor holds it for a while: what it refers to may be gone by then (protocol P12).
        const bool stays = collection.pressure && heap.regions.state(heap.region_at(object)) == RegionState::open;
        if (collection.waiting != 0 && !stays && !(settling && heap.collector->dying(object))) {
            collection.settling_shades.push(heap.chunks, object);
        }
    } else if (collection.waiting != 0 && is_waiting(heap, object)) {
        collection.waiting_shades.push(heap.chunks, object);
    }
}

void update_watch(HeapCore& heap) {
    if (hot.mutator == nullptr || hot.mutator->heap != &heap) return;
    const bool destroys = heap.is_dying != nullptr;
    hot.watch = heap.collection.active() || destroys ? ~std::uintptr_t{0} : 0;
    hot.handle_owner = heap.collection.gathers() ? kNobody : hot.mutator;
}

void record_condemned(HeapCore& heap, std::atomic<void*>& slot, void* target, std::uint32_t from, std::uint32_t to) {
    CollectionState& collection = heap.collection;
    const bool own = from == to;
    schedule_point();
    const IncomingSlot record{&slot, heap.pages.span_at(&slot).generation};
    if (own && collection.mode == BarrierMode::gathering && in_set(heap, &slot)) {
        // The same; but what it refers to is a root.
    } else if (own && collection.pressure && collection.candidates_known) {
        // Only an evacuation needs it, and is told below.
    } else if (!collection.frozen || heap.recent_slots.insert(record, own)) {
        // In whichever region's list: it is looked at again before it is used.
        Region& region = heap.regions.at(to);
        if (own && !collection.candidates_known) {
            RememberedSet& told = collection.pressure ? collection.open.own_slots : region.own_slots;
            told.add(heap.chunks, heap.deduplication, record);
        } else {
            region.incoming.add(heap.chunks, heap.deduplication, record);
            region.attention |= kIncoming;
            heap.regions.at(from).attention |= kSource;
        }
    }
    if (collection.mode == BarrierMode::gathering) {
        collection.shades.push(heap.chunks, target);
    } else if (collection.candidates_known) {
        heap.collector->note_slot(record, target);
    }
}

}  // namespace perfloc::detail
