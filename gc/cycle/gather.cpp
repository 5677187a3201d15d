#include "gc/cycle/gather.hpp"

#include "gc/roots.hpp"
#include "gc/slot_batch.hpp"
#include "runtime/condemned.hpp"

#include <algorithm>
#include <mutex>

namespace perfloc::gc {

using detail::HandleNode;
using detail::RegionTable;

namespace {

constexpr std::uint64_t kNoLineage = 0;
constexpr int kGlobalsAtOnce = 32;  // under the lock of the global handles

/// law [raw]: pointers to what it is given may be got outside of it. It may have ended already, and wait.
void receive(Region& destination) {
    destination.receives = true;
    destination.start_in_poll = true;
}

/// A handle that was looked at goes back to its region's list, where new ones are.
void take_back(HandleNode& node, HandleNode& list) {
    detail::take_out(node);
    detail::insert_after(list, node);
}

}  // namespace

void Gather::begin() {
    region_ = 0;
    slots_walked_ = false;
}

bool Gather::step(Deadline& deadline) {
    while (region_ < cycle_.set.size()) {
        Region& region = *cycle_.set[region_];
        if (!slots_walked_ && !walk_slots(region, deadline)) return false;
        slots_walked_ = true;
        if (!walk(region, deadline)) return false;
        slots_walked_ = false;
        end_region(region);
        ++region_;
        if (deadline.passed()) return false;
    }
    return true;
}

/// Those that do not lead into the set are overwritten by what comes after them, and cut off at the end: they are told of
/// again if that changes, and need not be followed.
bool Gather::walk_slots(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    const auto keep = [&](const IncomingSlot& incoming) {
        *write_.next(region.frozen) = incoming;
        ++kept_;
    };
    for (SlotBatch batch(heap); batch.look_up(region.frozen, read_);) {
        batch.fetch_others([&](const IncomingSlot& incoming) {
            if (heap.pages.span_at(incoming.slot).generation != incoming.generation) return true;  // law [stale]
            const bool in_set = detail::in_set(heap, incoming.slot);
            if (in_set) keep(incoming);  // marking comes to it
            return in_set;
        });
        for (const IncomingSlot& incoming : batch) {
            if (visit_slot(region, incoming)) keep(incoming);
        }
        if (deadline.passed_now()) return false;
    }
    region.frozen.truncate(heap.chunks, write_, kept_);
    read_ = write_ = {};
    kept_ = 0;
    return true;
}

/// The handles.
bool Gather::walk(Region& region, Deadline& deadline) {
    while (!list_empty(region.walked)) {
        HandleNode& node = *region.walked.next;
        visit_handle(region, node.object, false);
        take_back(node, region.handles);
        if (deadline.passed()) return false;
    }
    for (bool more = true; more;) {
        const std::lock_guard guard(cycle_.heap.global_handles);
        for (int i = 0; i < kGlobalsAtOnce && !list_empty(region.walked_global); ++i) {
            HandleNode& node = *region.walked_global.next;
            visit_handle(region, node.object, true);
            take_back(node, region.global);
        }
        more = !list_empty(region.walked_global);
        if (more && deadline.passed_now()) return false;
    }
    return true;
}

/// False where the slot does not lead into the set.
bool Gather::visit_slot(Region& region, const IncomingSlot& incoming) {
    HeapCore& heap = cycle_.heap;
    if (!slot_is_live(heap, incoming)) return false;
    void* const target = incoming.slot->load(std::memory_order_relaxed);
    if (target == nullptr || !detail::in_set(heap, target)) return false;
    Region& owner = heap.region_at(incoming.slot);
    // In open scopes the target may lead to what a raw pointer holds yet, though its own scope has ended since.
    const std::uint64_t before = cycle_.pressure()
                                     ? cycle_.parked_before
                                     : std::max(heap.region_at(target).parked_before, cycle_.parked_at_poll);
    if (forget_gone(heap, *incoming.slot, owner, before)) return false;
    Region& destination = cycle_.pressure() ? region : destination_for(owner, region);
    add(region, {incoming.slot, incoming.generation, target, 0, 0, 0}, destination);
    return true;
}

/// The scope of the slot, if it is another lineage's; else the innermost that encloses the slot's and the ended one: a scope
/// that began since is too far in (a raw pointer may be older than it is). Those that have ended too, and wait, will do: they
/// are collected later.
Region& Gather::destination_for(Region& owner, Region& region) {
    HeapCore& heap = cycle_.heap;
    const auto is_open = [&](const Region& r) { return heap.regions.state(r) == detail::RegionState::open; };
    const auto key_of = [&](const Region& r) { return is_open(r) ? heap.regions.record(r).key : r.ended_key; };
    if (&owner == heap.root || heap.regions.state(owner) == detail::RegionState::parked) return *heap.root;
    Region* meet = region.outside;
    if (key_of(owner) >> 32 != key_of(*meet) >> 32) {
        receive(owner);
        owner.attention |= detail::kPending;
        return owner;
    }
    Region* other = &owner;
    while (meet != other) {
        const bool deeper = RegionTable::depth_of(key_of(*meet)) >= RegionTable::depth_of(key_of(*other));
        if (is_open(*meet) &&
            is_open(*other)) {  // of one lineage, each of them encloses the next: however deep they are, O(1)
            if (key_of(*meet) >> 32 != key_of(*other) >> 32) return *heap.root;
            return deeper ? *other : *meet;
        }
        // What has ended encloses nothing that is open.
        Region*& ended = is_open(*other) || (deeper && !is_open(*meet)) ? meet : other;
        ended = ended->enclosing;
        if (ended == nullptr || ended == heap.root) return *heap.root;
    }
    return *meet;
}

void Gather::visit_handle(Region& region, void* target, bool global) {
    HeapCore& heap = cycle_.heap;
    if (!detail::in_set(heap, target)) return;  // made since, to a new object
    heap.pages.span_at(target).held = cycle_.number;
    Region& destination = global ? *heap.root : cycle_.pressure() ? region : *region.outside;
    add(region, {nullptr, 0, target, 0, 0, 0}, destination);
}

void Gather::add(Region& region, const CycleRoot& found, Region& destination) {
    HeapCore& heap = cycle_.heap;
    CycleRoot root = found;
    root.region = region.index;
    root.destination = destination.index;
    const bool open = heap.regions.state(destination) == detail::RegionState::open;
    const std::uint64_t key = open ? heap.regions.record(destination).key : destination.ended_key;
    root.depth = static_cast<std::uint32_t>(RegionTable::depth_of(key));
    cycle_.roots.push(heap.chunks, root);
    if (cycle_.pressure()) return;
    if (destination.destination_of != cycle_.number) {  // its end waits until the survivors have come
        destination.destination_of = cycle_.number;
        ++destination.pending;
        destination.attention |= detail::kPending;
        cycle_.destinations.push_back(&destination);
        // law [raw]: a pointer that is got outside a detached scope, before the survivors are there, may outlive it.
        if (destination.detached) receive(destination);
    }
    if (&destination == heap.root) return;
    const std::uint64_t lineage = (key >> 32) + 1;
    if (region.root_lineage == kNoLineage) {
        region.root_lineage = lineage;
    } else if (region.root_lineage != lineage) {
        region.root_lineage = kSeveralLineages;
    }
}

/// All of its roots are known. Where two lineages refer to a region, all of its survivors go to the root.
void Gather::end_region(Region& region) {
    if (cycle_.pressure()) {
        region.fallback = region.index;
    } else {
        region.fallback = region.root_lineage == kSeveralLineages ? detail::kRootRegion : region.outside->index;
    }
}

}  // namespace perfloc::gc
