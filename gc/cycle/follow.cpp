#include "gc/cycle/follow.hpp"

#include "gc/forward.hpp"
#include "gc/roots.hpp"
#include "gc/slot_batch.hpp"
#include "gc/sweep/live_map.hpp"
#include "runtime/condemned.hpp"
#include "runtime/remember.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace perfloc::gc {

using detail::HandleNode;
using detail::SpanList;

void Follow::begin() {
    region_ = done_ = 0;
    part_ = 0;
    frozen_ = false;
    shell_ = nullptr;
}

bool Follow::step(Deadline& deadline) {
    if (!follow_shades(deadline)) return false;
    while (region_ < cycle_.set.size()) {
        Region& region = *cycle_.set[region_];
        if (part_ == 0 && !move_slots(region, deadline)) return false;
        part_ = std::max(part_, 1);
        if (part_ == 1 && !move_handles(region, deadline)) return false;
        part_ = std::max(part_, 2);
        if (part_ == 2 && !move_cleanups(region, deadline)) return false;
        part_ = 3;
        if (cycle_.pressure() && !(free_open(region, deadline) && forget_merged(region, deadline))) return false;
        ++region_;
        part_ = 0;
        if (deadline.passed()) return false;
    }
    for (; done_ < cycle_.set.size(); ++done_) {
        if (deadline.passed()) return false;
        done(*cycle_.set[done_]);
    }
    while (!cycle_.destinations.empty()) {
        if (deadline.passed()) return false;
        Region& destination = *cycle_.destinations.back();
        cycle_.destinations.pop_back();
        --destination.pending;
        if (std::exchange(destination.receives, false)) destination.received_poll = cycle_.heap.collection.polls;
    }
    return true;
}

/// Protocol P1, while the destinations are pending: an object that none of the waiting regions has adopted may die before
/// the next collection.
bool Follow::follow_shades(Deadline& deadline) {
    detail::CollectionState& collection = cycle_.heap.collection;
    while (!collection.settling_shades.empty()) {
        if (deadline.passed()) return false;
        void* const object = collection.settling_shades.pop(cycle_.heap.chunks);
        if (detail::is_waiting(cycle_.heap, object)) collection.waiting_shades.push(cycle_.heap.chunks, object);
    }
    return true;
}

/// law [remset]: for each slot that still points to something of the region, or to something that came from it, a record where
/// its target is now.
bool Follow::move_slots(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    if (!frozen_) {
        detail::ChunkList<IncomingSlot> since = region.incoming.take(), own = region.own_slots.take();
        region.frozen.splice(since);
        region.frozen.splice(own);  // of ended scopes only: within one that is open, references are not recorded
        frozen_ = true;
    }
    for (SlotBatch batch(heap); batch.pop(region.frozen, heap.chunks);) {
        for (const IncomingSlot& incoming : batch) follow_slot(region, incoming);
        if (deadline.passed_now()) return false;
    }
    frozen_ = false;
    return true;
}

void Follow::follow_slot(Region& region, const IncomingSlot& incoming) {
    HeapCore& heap = cycle_.heap;
    if (!slot_is_live(heap, incoming)) return;
    if (detail::in_set(heap, incoming.slot)) return;  // in a span that goes: what it refers to may be as dead as it is
    void* const target = incoming.slot->load(std::memory_order_relaxed);
    if (target == nullptr || detail::in_set(heap, target)) return;  // of a dead slot: nothing else points to the dead
    // What was evacuated is recorded already, and so is what points elsewhere by now.
    const bool adopted = heap.pages.span_at(target).settled == cycle_.number;
    if (adopted || &heap.region_at(target) == &region) detail::record_reference(heap, *incoming.slot, target);
}

bool Follow::move_handles(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    if (cycle_.pressure()) return true;  // they stay with their region
    const auto follow = [&](HandleNode& list, HandleNode Region::* home, bool weak) {
        while (!list_empty(list)) {
            HandleNode& node = *list.next;
            Region& to = heap.region_at(node.object);
            relink(node, node.object, to.*home);
            if (weak) to.attention |= detail::kWeak;
            if (deadline.passed()) return false;
        }
        return true;
    };
    if (!follow(region.handles, &Region::handles, false) || !follow(region.weak, &Region::weak, true)) return false;
    for (int i = 0;; ++i) {
        if (i % kHandlesAtOnce == kHandlesAtOnce - 1 && deadline.passed_now()) return false;
        const std::lock_guard guard(heap.global_handles);
        const bool weak = list_empty(region.global);
        HandleNode& list = weak ? region.global_weak : region.global;
        if (list_empty(list)) return true;
        HandleNode& node = *list.next;
        Region& to = heap.region_at(node.object);
        relink(node, node.object, weak ? to.global_weak : to.global);
        to.attention |= detail::kWeak;
        heap.regions.record(to).published = 1;
    }
}

bool Follow::move_cleanups(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    // Newest first out of the list; each destination's are put in order again at the end.
    while (!region.condemned_cleanups.empty()) {
        void* const object = now_at(region.condemned_cleanups.pop(heap.chunks));
        newest_first_.push(heap.chunks, object);
        if (deadline.passed()) return false;
    }
    while (!newest_first_.empty()) {
        void* const object = newest_first_.pop(heap.chunks);
        if (cycle_.pressure()) {
            oldest_first_.push(heap.chunks, object);
        } else {
            Region& home = heap.region_at(object);
            home.cleanups.push(heap.chunks, object);
            home.attention |= detail::kCleanups;
        }
        if (deadline.passed()) return false;
    }
    // What was made since is newer.
    oldest_first_.splice(region.cleanups);
    region.cleanups = std::exchange(oldest_first_, {});
    return true;
}

/// What an open region is rid of leaves it span by span: law [stale], its pages must not name an open region any more.
bool Follow::free_open(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    for (SpanList* const list : region.freed.lists()) {
        while (!list->empty()) {
            const std::uint32_t page = list->head;
            const Span& span = heap.pages.span(page);
            if (shell_ == nullptr) {
                shell_ = heap.regions.create(detail::RegionTable::kOwnLineage, nullptr);
                // law [stale]: nothing in it is alive, also before it is in the pool.
                if (shell_ != nullptr) heap.regions.close(*shell_, detail::RegionState::pooled);
            }
            if (shell_ != nullptr && !stamper_.all_but_first(heap.pages, page, shell_->index, deadline)) return false;
            heap.pages.pop(*list);
            region.filled_bytes -= counted_bytes(heap, page, span);
            if (shell_ == nullptr) {
                heap.pool.release_span(region, page);
            } else {
                stamper_.finish(heap.pages, page, shell_->index);
                region.pages -= span.pages;
                shell_->pages += span.pages;
                heap.pages.append(shell_->of(span), page);
            }
            if (deadline.passed_now()) return false;
        }
    }
    if (shell_ != nullptr) detail::retire_region(heap, *std::exchange(shell_, nullptr));
    return true;
}

/// What had been merged into it before all this began: no page names these regions any more.
bool Follow::forget_merged(Region& region, Deadline& deadline) {
    while (Region* const merged = region.absorbed_before) {
        region.absorbed_before = merged->next;
        cycle_.heap.regions.recycle(*merged);
        if (deadline.passed()) return false;
    }
    return true;
}

void Follow::done(Region& region) {
    HeapCore& heap = cycle_.heap;
    heap.regions.record(region).looked_at = 0;
    if (cycle_.pressure()) {
        region.settled_pages = region.pages;
        return;
    }
    for (detail::SpanLists* const lists : {&region.condemned, &region.sparse, &region.freed}) {
        heap.pages.splice(region, *lists);
    }
    --region.enclosing->pending;
    region.counters->promoted_bytes += region.promoted_bytes;
    region.counters->promoted_objects += region.promoted_objects;
    heap.totals.promoted_bytes += region.promoted_bytes;
    if (region.report_to != nullptr) {
        region.report_to->promoted_bytes = region.promoted_bytes;
        region.report_to->settled = true;
    }
    detail::unlink_region(heap.first_condemned, region);
    detail::retire_region(heap, region);
}

}  // namespace perfloc::gc
