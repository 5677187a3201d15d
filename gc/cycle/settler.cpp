#include "gc/cycle/settler.hpp"

#include "gc/forward.hpp"
#include "gc/policy/slice_policy.hpp"
#include "gc/roots.hpp"
#include "gc/sweep/live_map.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/remember.hpp"

#include <algorithm>
#include <cstring>

namespace perfloc::gc {

using detail::kPageBytes;
using detail::SpanList;

namespace {

constexpr std::uint32_t kPagesAtOnce = 4096;  // stamped in about a microsecond

}  // namespace

void Settler::begin() {
    region_ = 0;
    next_candidate_ = 0;
    cursor_ = {};
    unstamped_ = 0;
}

bool Settler::record(Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    while (!cycle_.outward.empty()) {
        const IncomingSlot slot = cycle_.outward.pop(heap.chunks);
        void* const target = slot.slot->load(std::memory_order_relaxed);
        if (target != nullptr) detail::record_reference(heap, *slot.slot, target);
        if (deadline.passed()) return false;
    }
    if (!cycle_.candidates.empty()) {
        // From here on the barrier lists slots under the spans itself, so that what is walked here comes to an end.
        if (!heap.collection.candidates_known) {
            for (Region* const region : cycle_.set) {
                region->since = region->incoming.take();
                region->incoming.hold();
            }
            heap.collection.candidates_known = true;
        }
        for (; region_ < cycle_.set.size(); ++region_) {
            Region& region = *cycle_.set[region_];
            while (const IncomingSlot* const slot = cursor_.next(region.since)) {
                if (slot_is_live(heap, *slot)) {
                    void* const target = slot->slot->load(std::memory_order_relaxed);
                    if (target != nullptr && detail::in_set(heap, target)) heap.collector->note_slot(*slot, target);
                }
                if (deadline.passed()) return false;
            }
            region.frozen.splice(region.since);
            cursor_ = {};
        }
    }
    region_ = 0;
    return true;
}

bool Settler::settle(Deadline& deadline, bool in_poll, bool adopt_all) {
    for (; region_ < cycle_.set.size(); ++region_) {
        Region& region = *cycle_.set[region_];
        for (SpanList* const list : region.condemned.lists()) {
            if (!adopt_list(region, *list, deadline)) return false;
        }
    }
    if (!in_poll && !adopt_all) return next_candidate_ == cycle_.candidates.size();
    while (next_candidate_ < cycle_.candidates.size()) {
        Candidate& candidate = cycle_.candidates[next_candidate_];
        const std::chrono::nanoseconds cost = needs();
        const bool moves = in_poll && !adopt_all && cost.count() != 0;
        if (moves && cost > deadline.left()) return false;  // in a slice that has the time
        evacuate_or_adopt(candidate, moves);
        ++next_candidate_;
        if (deadline.passed_now()) break;
    }
    return next_candidate_ == cycle_.candidates.size();
}

std::chrono::nanoseconds Settler::needs() const {
    if (region_ < cycle_.set.size() || next_candidate_ == cycle_.candidates.size()) return {};
    const Candidate& next = cycle_.candidates[next_candidate_];
    if (next.popular) return {};
    const auto cost = cost_of({cycle_.heap.pages.span(next.page).live_bytes, next.slots.size()});
    return cost <= cycle_.heap.options.pauses.max / 10 * 9 ? cost : std::chrono::nanoseconds(0);
}

bool Settler::adopt_list(Region& region, SpanList& list, Deadline& deadline) {
    while (!list.empty()) {
        const std::uint32_t page = list.head;
        if (!stamped(region, page, deadline)) return false;
        cycle_.heap.pages.pop(list);
        adopt(region, page);
        if (deadline.passed_now()) return false;
    }
    return true;
}

Region& Settler::destination_of(Region& region, const Span& span) const {
    if (cycle_.pressure) return region;
    // Protocol P15 asks whether the destination has ended. Here it may have: while it is a destination it is pending, so its
    // own collection has not begun, and finds these survivors in it.
    return cycle_.heap.regions.at(span.destination);
}

/// A large object's pages are stamped in pieces, its first page at last: that is the one that references lead to.
bool Settler::stamped(Region& region, std::uint32_t page, Deadline& deadline) {
    const Span& span = cycle_.heap.pages.span(page);
    if (span.pages <= kPagesAtOnce || cycle_.pressure) return true;
    if (unstamped_ == 0) unstamped_ = span.pages;
    Region& destination = destination_of(region, span);
    while (unstamped_ > kPagesAtOnce) {
        unstamped_ -= kPagesAtOnce;
        cycle_.heap.pages.stamp_region(page + unstamped_, kPagesAtOnce, destination.index);
        if (deadline.passed_now()) return false;
    }
    return true;
}

/// The span belongs to its destination from here on: the flip.
void Settler::adopt(Region& region, std::uint32_t page) {
    HeapCore& heap = cycle_.heap;
    Span& span = heap.pages.span(page);
    Region& destination = destination_of(region, span);
    if (&destination != &region) {
        const std::uint32_t rest = unstamped_ != 0 ? unstamped_ : span.pages;
        heap.pages.stamp_region(page, rest, destination.index);
        region.pages -= span.pages;
        destination.pages += span.pages;
        destination.filled_bytes += span.live_bytes;
        if (heap.regions.record(region).published != 0) heap.regions.record(destination).published = 1;  // P5
    } else {
        region.filled_bytes -= counted_bytes(heap, page, span) - span.live_bytes;
    }
    unstamped_ = 0;
    keep_live_map(heap, cycle_.marks, page, span);
    heap.pages.append(destination.of(span), page);
    destination.attention |= detail::kMoreSpans;
    span.settled = cycle_.number;
    span.destination = 0;
    span.candidate = 0;
    region.promoted_bytes += span.live_bytes;
    cycle_.totals.adopted_bytes += span.live_bytes;
    ++heap.collection.counts.spans_adopted;
}

/// Protocol P17: what has changed since marking is looked at again.
void Settler::evacuate_or_adopt(Candidate& candidate, bool may_move) {
    HeapCore& heap = cycle_.heap;
    Span& span = heap.pages.span(candidate.page);
    Region& region = heap.region_at(heap.pages.address_of(candidate.page));
    const std::uint32_t page = heap.pages.pop(region.sparse.of(span));
    PERFLOC_CHECK(page == candidate.page, "internal: spans to evacuate come out of order");
    const bool movable = span.pins == 0 && detail::load_relaxed(span.held) != cycle_.number;
    if (may_move && movable && heap.pool.has_room(span.live_bytes + span.live_bytes / 4 + detail::kBlockBytes)) {
        evacuate(region, candidate);
        heap.pages.append(region.freed.of(span), page);
    } else {
        adopt(region, page);
    }
    candidate.slots.clear(heap.chunks);
}

void Settler::evacuate(Region& region, Candidate& candidate) {
    HeapCore& heap = cycle_.heap;
    Span& span = heap.pages.span(candidate.page);
    Region& destination = destination_of(region, span);
    for_each_marked(cycle_.marks, heap.pages, candidate.page, span, [&](void* object, Header, std::size_t bytes) {
        void* const copy = detail::bump(heap, destination, bytes);
        PERFLOC_CHECK(copy != nullptr, "internal: an evacuation runs out of the room that it was promised");
        std::memcpy(static_cast<char*>(copy) - kHeaderBytes, static_cast<char*>(object) - kHeaderBytes, bytes);
        forward(object, copy);
    });
    span.slides = true;
    span.candidate = 0;
    // Protocol P18: what the copies refer to is recorded for where they are now.
    for_each_marked(cycle_.marks, heap.pages, candidate.page, span, [&](void* object, Header, std::size_t) {
        void* const copy = now_at(object);
        detail::for_each_ref(copy, detail::header_of(copy), detail::type_shapes(), [&](std::atomic<void*>& slot) {
            void* const target = slot.load(std::memory_order_relaxed);
            if (target != nullptr) fix(slot, target, span);
        });
    });
    const char* const start = heap.pages.address_of(candidate.page);
    const char* const end = start + std::size_t{span.pages} * kPageBytes;
    candidate.slots.for_each([&](const IncomingSlot& incoming) {
        const auto* const at = reinterpret_cast<const char*>(incoming.slot);
        if (at >= start && at < end) return;                                                    // an old copy's own
        if (heap.pages.span_at(incoming.slot).slides || !slot_is_live(heap, incoming)) return;  // law [stale]
        void* const target = incoming.slot->load(std::memory_order_relaxed);
        if (target != nullptr && heap.pages.span_page(target) == candidate.page) fix(*incoming.slot, target, span);
    });
    region.promoted_bytes += span.live_bytes;
    cycle_.totals.evacuated_bytes += span.live_bytes;
    ++heap.collection.counts.spans_evacuated;
}

/// The reference follows its target, if that has moved, and is recorded where it needs to be.
void Settler::fix(std::atomic<void*>& slot, void* target, const Span& moved) {
    HeapCore& heap = cycle_.heap;
    if (&heap.pages.span_at(target) == &moved) {
        if (!is_forwarded(target)) return;  // a dead slot's
        target = now_at(target);
        slot.store(target, std::memory_order_release);
    }
    detail::record_reference(heap, slot, target);
}

}  // namespace perfloc::gc
