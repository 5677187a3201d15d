#include "gc/roots.hpp"

#include <algorithm>

namespace perfloc::gc {

using detail::RegionState;
using detail::RegionTable;

bool slot_is_live(HeapCore& heap, const MarkBitmap& marks, const detail::IncomingSlot& incoming) {
    const std::uint32_t page = heap.pages.span_page(incoming.slot);
    const Span& span = heap.pages.span(page);
    if (span.generation != incoming.generation) return false;
    const std::uint32_t region = heap.regions.resolve(heap.pages.region_at(incoming.slot));
    const RegionState state = heap.regions.state(region);
    if (state != RegionState::open && state != RegionState::condemned) return false;
    return !span.live_map || marked_word(marks, heap.pages, incoming.slot);
}

void find_roots(HeapCore& heap, const MarkBitmap& marks, Region& ended, Region& enclosing, std::vector<Root>& roots) {
    roots.resize(ended.incoming.size());
    Root* next = roots.data();
    // Neighbouring slots are often of one object: what was found for their span is kept.
    std::uint32_t known_page = 0;
    std::uint64_t known_generation = 0;
    Region* owner = nullptr;
    ended.incoming.for_each([&](const detail::IncomingSlot& incoming) {
        const std::uint32_t page = heap.pages.page_of(incoming.slot);
        if (page != known_page || incoming.generation != known_generation) {
            if (!slot_is_live(heap, marks, incoming)) return;
            owner = &heap.region_at(incoming.slot);
            known_page = heap.pages.span_at(incoming.slot).live_map ? 0 : page;
            known_generation = incoming.generation;
        }
        void* const target = incoming.slot->load(std::memory_order_relaxed);
        if (owner == &ended || target == nullptr || heap.pages.region_at(target) != ended.index) return;
        // A destructor ended this scope: where the survivors of the one that it dies in go is not known yet, so what
        // they refer to goes furthest out.
        const bool condemned = heap.regions.state(*owner) == RegionState::condemned;
        *next++ = {incoming.slot, nullptr, condemned ? heap.root : owner};
    });
    roots.resize(static_cast<std::size_t>(next - roots.data()));
    for_each_handle(ended.handles, [&](HandleNode& node) { roots.push_back({nullptr, &node, &enclosing}); });
    {
        const std::lock_guard guard(heap.global_handles);
        for_each_handle(ended.global, [&](HandleNode& node) { roots.push_back({nullptr, &node, heap.root}); });
    }

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

}  // namespace perfloc::gc
