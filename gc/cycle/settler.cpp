#include "gc/cycle/settler.hpp"

#include "gc/forward.hpp"
#include "gc/policy/slice_policy.hpp"
#include "gc/roots.hpp"
#include "gc/settle/holes.hpp"
#include "gc/slot_batch.hpp"
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

template <class F>
void each_target(void* object, F&& f) {
    detail::for_each_ref(object, detail::header_of(object), detail::type_shapes(), [&](std::atomic<void*>& slot) {
        if (const void* const target = slot.load(std::memory_order_relaxed)) f(target);
    });
}

}  // namespace

void Settler::begin() {
    region_ = 0;
    next_candidate_ = 0;
    cursor_ = {};
    walked_open_ = took_since_ = walked_since_ = false;
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
        heap.collection.candidates_known = true;
        if (!walked_open_) {
            if (!note_slots(heap.collection.open.own_slots.hold(), deadline)) return false;
            walked_open_ = true;
        }
        while (region_ < cycle_.set.size()) {
            Region& region = *cycle_.set[region_];
            if (!took_since_) region.since = region.incoming.take();
            took_since_ = true;
            if (!walked_since_) {
                if (!note_slots(region.since, deadline)) return false;
                region.frozen.splice(region.since);
                walked_since_ = true;
            }
            if (!note_slots(region.own_slots.hold(), deadline)) return false;
            took_since_ = walked_since_ = false;
            ++region_;
            if (deadline.passed()) return false;
        }
    }
    region_ = 0;
    return true;
}

/// Those of the slots that point into spans to be evacuated.
bool Settler::note_slots(const detail::ChunkList<IncomingSlot>& slots, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    for (SlotBatch batch(heap); batch.next(slots, cursor_);) {
        for (const IncomingSlot& slot : batch) {
            if (!slot_is_live(heap, slot)) continue;
            void* const target = slot.slot->load(std::memory_order_relaxed);
            if (target != nullptr && detail::in_set(heap, target)) heap.collector->note_slot(slot, target);
        }
        if (deadline.passed_now()) return false;
    }
    cursor_ = {};
    return true;
}

bool Settler::settle(Deadline& deadline, bool in_poll, bool adopt_all) {
    while (region_ < cycle_.set.size()) {
        Region& region = *cycle_.set[region_];
        for (SpanList* const list : region.condemned.lists()) {
            if (!adopt_list(region, *list, deadline)) return false;
        }
        ++region_;
        if (deadline.passed()) return false;
    }
    if (!in_poll && !adopt_all) return next_candidate_ == cycle_.candidates.size();
    while (next_candidate_ < cycle_.candidates.size()) {
        const bool moves = in_poll && !adopt_all && may_move();
        if (moves && cost_of(cycle_.candidates[next_candidate_]) > deadline.left())
            return false;  // in a slice that has the time
        if (moves) {
            evacuate_piece(cycle_.candidates[next_candidate_]);
        } else {
            adopt_rest();
        }
        if (deadline.passed_now()) break;
    }
    return next_candidate_ == cycle_.candidates.size();
}

std::chrono::nanoseconds Settler::cost_of(const Candidate& piece) const {
    return costs_.of({piece.live_bytes, piece.slots.size()});
}

std::chrono::nanoseconds Settler::needs() const {
    if (!waits_for_poll() || !may_move()) return {};
    return cost_of(cycle_.candidates[next_candidate_]);
}

/// The next piece, and those of its span that follow. Protocol P17: what has changed since marking is looked at again.
bool Settler::may_move() const {
    HeapCore& heap = cycle_.heap;
    const Candidate& next = cycle_.candidates[next_candidate_];
    const Span& span = heap.pages.span_at(cycle_.address_of(next));
    if (span.pins != 0 || detail::load_relaxed(span.held) == cycle_.number) return false;
    const std::chrono::nanoseconds most = longest_piece(longest_slice(heap.options.pauses));
    // All of them before the first one moves; then each before it does.
    const bool first = next_candidate_ + 1 == span.candidate;
    const std::size_t end = first ? end_of_span(span) : next_candidate_ + 1;
    for (std::size_t i = next_candidate_; i < end; ++i) {
        const Candidate& piece = cycle_.candidates[i];
        if (piece.popular || cost_of(piece) > most) return false;
    }
    return heap.pool.has_room(next.live_bytes + next.live_bytes / 4 + detail::kBlockBytes);
}

std::size_t Settler::end_of_span(const Span& span) const { return span.candidate - 1 + cycle_.pieces_of(span); }

bool Settler::adopt_list(Region& region, SpanList& list, Deadline& deadline) {
    while (!list.empty()) {
        const std::uint32_t page = list.head;
        if (!stamped(region, page, deadline)) return false;
        cycle_.heap.pages.pop(list);
        if (cycle_.heap.pages.span(page).holes) {
            adopt_without_holes(region, page);
        } else {
            adopt(region, page);
        }
        if (deadline.passed_now()) return false;
    }
    return true;
}

Region& Settler::destination_of(Region& region, const Span& span) const {
    if (cycle_.pressure()) return region;
    // Protocol P15 asks whether the destination has ended. Here it may have: while it is a destination it is pending, so its
    // own collection has not begun, and finds these survivors in it.
    return cycle_.heap.regions.at(span.destination);
}

bool Settler::stamped(Region& region, std::uint32_t page, const Deadline& deadline) {
    const Region& destination = destination_of(region, cycle_.heap.pages.span(page));
    return names(page, destination) || stamper_.all_but_first(cycle_.heap.pages, page, destination.index, deadline);
}

/// What is cut out of it is freed with what else nothing lives in.
void Settler::adopt_without_holes(Region& region, std::uint32_t page) {
    HeapCore& heap = cycle_.heap;
    cut_holes(
        heap, cycle_.marks, page, [&](std::uint32_t part) { adopt(region, part); },
        [&](std::uint32_t hole) {
            Span& span = heap.pages.span(hole);
            span.candidate = 0;
            heap.pages.append(region.freed.of(span), hole);
        });
}

/// The span belongs to its destination from here on: the flip.
void Settler::adopt(Region& region, std::uint32_t page) {
    HeapCore& heap = cycle_.heap;
    Span& span = heap.pages.span(page);
    Region& destination = destination_of(region, span);
    // It names another region also where that was merged into this one since.
    if (!names(page, destination)) stamper_.finish(heap.pages, page, destination.index);
    if (&destination != &region) {
        region.pages -= span.pages;
        destination.pages += span.pages;
        destination.filled_bytes += span.live_bytes;
        if (heap.regions.record(region).published != 0) heap.regions.record(destination).published = 1;  // P5
    } else {
        region.filled_bytes -= counted_bytes(heap, page, span) - span.live_bytes;
    }
    keep_live_map(heap, cycle_.marks, page, span);
    heap.pages.append(destination.of(span), page);
    destination.attention |= detail::kMoreSpans;
    span.settled = cycle_.number;
    span.stayed = cycle_.pressure();
    span.destination = 0;
    span.candidate = 0;
    region.promoted_bytes += span.live_bytes;
    cycle_.totals.adopted_bytes += span.live_bytes;
    ++heap.collection.counts.spans_adopted;
}

/// What is left of the span that comes next: where pieces of it were moved, only the rest is alive in it.
void Settler::adopt_rest() {
    HeapCore& heap = cycle_.heap;
    const std::uint32_t page = heap.pages.span_page(cycle_.address_of(cycle_.candidates[next_candidate_]));
    Region& region = heap.region_at(heap.pages.address_of(page));
    Span& span = heap.pages.span(page);
    const std::size_t end = end_of_span(span);
    take_out(region, page);
    if (span.live_bytes != 0) {
        adopt_without_holes(region, page);
    } else {
        span.candidate = 0;
        heap.pages.append(region.freed.of(span), page);
    }
    // Their lists are given back with all others: one by one, that is a miss for each piece.
    for (; next_candidate_ < end; ++next_candidate_) cycle_.candidates[next_candidate_].slots = {};
}

/// The span was the next of those that are to be evacuated.
void Settler::take_out(Region& region, std::uint32_t page) {
    HeapCore& heap = cycle_.heap;
    const std::uint32_t head = heap.pages.pop(region.sparse.of(heap.pages.span(page)));
    PERFLOC_CHECK(head == page, "internal: spans to evacuate come out of order");
}

void Settler::evacuate_piece(Candidate& piece) {
    HeapCore& heap = cycle_.heap;
    const std::uint32_t page = heap.pages.span_page(cycle_.address_of(piece));
    Span& span = heap.pages.span(page);
    Region& region = heap.region_at(heap.pages.address_of(page));
    const detail::Stopwatch watch;
    evacuate(region, span, piece);
    costs_.learn({piece.live_bytes, piece.slots.size()}, watch.elapsed());
    piece.slots.clear(cycle_.slot_chunks);
    if (++next_candidate_ < end_of_span(span)) return;
    PERFLOC_CHECK(span.live_bytes == 0, "internal: {} bytes of a span that was evacuated are left", span.live_bytes);
    span.candidate = 0;
    take_out(region, page);
    heap.pages.append(region.freed.of(span), page);
    ++heap.collection.counts.spans_evacuated;
}

/// Afterwards nothing alive refers to the piece, and nothing in it is marked; its headers say where destructors find their objects.
void Settler::evacuate(Region& region, Span& span, Candidate& piece) {
    HeapCore& heap = cycle_.heap;
    Region& destination = destination_of(region, span);
    char* const start = cycle_.address_of(piece);
    const char* const top = heap.pages.address_of(heap.pages.span_page(start)) + span.top_bytes;
    const char* const end = std::clamp<const char*>(top, start, start + cycle_.piece_grains * kGrainBytes);
    const char* last = start;  // what the last object may occupy of the next piece
    for_each_marked(cycle_.marks, start, end, [&](void* object, Header, std::size_t bytes) {
        void* const copy = detail::bump(heap, destination, bytes);
        PERFLOC_CHECK(copy != nullptr, "internal: an evacuation runs out of the room that it was promised");
        std::memcpy(static_cast<char*>(copy) - kHeaderBytes, static_cast<char*>(object) - kHeaderBytes, bytes);
        forward(object, copy);
        each_target(copy, [&](const void* target) { heap.pages.fetch(target); });
        last = static_cast<char*>(object) - kHeaderBytes + bytes;
    });
    for_each_marked(cycle_.marks, start, end, [&](void* object, Header, std::size_t) {
        each_target(now_at(object), [&](const void* target) { heap.pages.fetch_span(target); });
    });
    // Protocol P18: what the copies refer to is recorded for where they are now.
    for_each_marked(cycle_.marks, start, end, [&](void* object, Header, std::size_t) {
        void* const copy = now_at(object);
        detail::for_each_ref(copy, detail::header_of(copy), detail::type_shapes(), [&](std::atomic<void*>& slot) {
            void* const target = slot.load(std::memory_order_relaxed);
            if (target != nullptr) fix(slot, target, piece);
        });
    });
    cycle_.marks.clear_words(start, std::max(last, end));
    SlotBatch batch(heap);
    for (detail::ChunkList<IncomingSlot, SlotChunks>::Cursor at; batch.next(piece.slots, at);) {
        for (const IncomingSlot& incoming : batch) {
            if (!slot_is_live(heap, incoming)) continue;  // law [stale]
            void* const target = incoming.slot->load(std::memory_order_relaxed);
            if (target != nullptr && candidate_of(cycle_, target) == &piece) fix(*incoming.slot, target, piece);
        }
    }
    span.live_bytes -= piece.live_bytes;
    region.promoted_bytes += piece.live_bytes;
    cycle_.totals.evacuated_bytes += piece.live_bytes;
}

/// The reference follows its target, if that has moved, and is recorded where it needs to be.
void Settler::fix(std::atomic<void*>& slot, void* target, const Candidate& moved) {
    if (candidate_of(cycle_, target) == &moved) {
        if (!is_forwarded(target)) return;  // a dead slot's
        target = now_at(target);
        slot.store(target, std::memory_order_release);
    }
    detail::record_reference(cycle_.heap, slot, target);
}

}  // namespace perfloc::gc
