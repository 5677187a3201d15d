#include "gc/roots.hpp"

#include "gc/forward.hpp"
#include "gc/slot_batch.hpp"
#include "gc/sweep/live_map.hpp"
#include "runtime/condemned.hpp"

#include <algorithm>

namespace perfloc::gc {

using detail::RegionState;
using detail::RegionTable;

Region* live_owner(HeapCore& heap, const detail::IncomingSlot& incoming) {
    const std::uint32_t page = heap.pages.span_page(incoming.slot);
    const Span& span = heap.pages.span(page);
    if (span.generation != incoming.generation) return nullptr;
    const std::uint32_t region = heap.regions.resolve(heap.pages.region_at(incoming.slot));
    const RegionState state = heap.regions.state(region);
    if (state != RegionState::open && state != RegionState::condemned && state != RegionState::parked) return nullptr;
    // The dead, whose destructors have run by now, and the old copies of what has moved already: what these refer to may have been
    // given back before they are.
    if (heap.collection.dead_known && heap.collector->dying(incoming.slot)) return nullptr;
    return live_word(heap, span, incoming.slot) ? &heap.regions.at(region) : nullptr;
}

std::uint64_t count_handles(HeapCore& heap, const Region& region, std::uint64_t most) {
    std::uint64_t handles = 0;
    const auto count = [&](const HandleNode& list) {
        for (const HandleNode* node = list.next; node != &list && handles < most; node = node->next) ++handles;
    };
    count(region.handles);
    if ((region.attention & detail::kWeak) == 0) return handles;
    count(region.weak);
    const std::lock_guard guard(heap.global_handles);
    count(region.global);
    count(region.global_weak);
    return handles;
}

Region& open_ancestor(HeapCore& heap, Region& region) {
    Region* open = &region;
    while (heap.regions.state(*open) != RegionState::open) open = open->enclosing;
    return *open;
}

namespace {

/// Outermost destination first; where two lineages refer to the region, the root's.
void order(const HeapCore& heap, detail::List<Root>& roots) {
    const auto key = [&](const Region* region) { return heap.regions.record(*region).key; };
    const Region* lineage = nullptr;
    bool mixed = false;
    bool same = true;
    for (const Root& root : roots) {
        same = same && root.destination == roots.front().destination;
        if (root.destination == heap.root) continue;
        mixed = mixed || (lineage != nullptr && key(lineage) >> 32 != key(root.destination) >> 32);
        lineage = root.destination;
    }
    if (mixed) {
        for (Root& root : roots) root.destination = heap.root;
    } else if (!same) {
        // The root's depth is 0, and in one lineage the key ascends with the depth.
        std::sort(roots.begin(), roots.end(), [&](const Root& a, const Root& b) {
            return RegionTable::depth_of(key(a.destination)) < RegionTable::depth_of(key(b.destination));
        });
    }
}

}  // namespace

void find_roots(HeapCore& heap, Region& ended, Region& enclosing, detail::List<Root>& roots) {
    roots.resize(ended.incoming.size());
    Root* next = roots.data();
    // Neighbouring slots are often of one object: what was found for their span is kept.
    std::uint32_t known_page = 0;
    std::uint64_t known_generation = 0;
    Region* owner = nullptr;
    const std::uint64_t parked_before = std::max(ended.parked_before, heap.collection.parked_at_poll);
    const auto visit = [&](const detail::IncomingSlot& incoming) {
        const std::uint32_t page = heap.pages.page_of(incoming.slot);
        if (page != known_page || incoming.generation != known_generation) {
            Region* const live = live_owner(heap, incoming);
            if (live == nullptr) return;
            owner = live;
            const bool whole = !heap.pages.span_at(incoming.slot).live_map && !heap.collection.dead_known;
            known_page = whole ? page : 0;
            known_generation = incoming.generation;
        }
        void* const target = incoming.slot->load(std::memory_order_relaxed);
        if (owner == &ended || target == nullptr || heap.pages.region_at(target) != ended.index) return;
        if (forget_gone(heap, *incoming.slot, *owner, parked_before)) return;
        // Protocol P15: where the survivors of an ended scope go is not known yet; it counts as what encloses it.
        *next++ = {incoming.slot, nullptr, &open_ancestor(heap, *owner), nullptr};
    };
    detail::ChunkList<detail::IncomingSlot>::Cursor cursor;
    if (ended.incoming.size() < SlotBatch::kFew) {
        while (const detail::IncomingSlot* const incoming = cursor.next(ended.incoming.slots())) visit(*incoming);
    } else {
        for (SlotBatch batch(heap); batch.next(ended.incoming.slots(), cursor);) std::ranges::for_each(batch, visit);
    }
    roots.resize(static_cast<std::size_t>(next - roots.data()));
    for_each_handle(ended.handles,
                    [&](HandleNode& node) { roots.push_back({nullptr, &node, &enclosing, node.object}); });
    if ((ended.attention & detail::kWeak) != 0) {
        const std::lock_guard guard(heap.global_handles);
        for_each_handle(ended.global,
                        [&](HandleNode& node) { roots.push_back({nullptr, nullptr, heap.root, node.object}); });
    }

    if (roots.size() > 1) order(heap, roots);
    if (heap.collection.open.freezing) {
        for (const Root& root : roots) detail::freeze_before_change(heap, *root.destination);
    }
}

void follow_global_handles(HeapCore& heap, Region& ended) {
    const std::lock_guard guard(heap.global_handles);
    for_each_handle(ended.global, [&](HandleNode& node) {
        void* const object = now_at(node.object);
        Region& region = heap.region_at(object);
        relink(node, object, region.global);
        region.attention |= detail::kWeak;
        heap.regions.record(region).published = 1;
    });
}

}  // namespace perfloc::gc
