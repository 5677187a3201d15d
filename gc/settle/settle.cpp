#include "gc/settle/settle.hpp"

#include "gc/forward.hpp"
#include "gc/policy/evacuation_policy.hpp"
#include "gc/settle/holes.hpp"
#include "gc/sweep/live_map.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/remember.hpp"

#include <algorithm>
#include <cstring>

namespace perfloc::gc {

using detail::header_of;
using detail::kPageBytes;
using detail::SpanList;

void Settlement::run() {
    decide();
    evacuate();
    for (SpanList* const list : ended_.lists()) adopt(*list);
    heap_.pages.splice(ended_, holes_);
    fix_references();
    fix_handles();
    move_slots();
    move_cleanups();
}

void Settlement::decide() {
    std::uint64_t to_copy = 0;
    detail::List<std::uint32_t> destinations(heap_.chunks);
    heap_.pages.for_each(static_cast<const detail::SpanLists&>(ended_), [&](std::uint32_t page, Span& span) {
        if (span.live_bytes == 0) return;
        survived_bytes_ += span.live_bytes;
        const MarkedSpan marked{span.live_bytes, std::uint64_t{span.pages} * kPageBytes,
                                span.kind == detail::SpanKind::movable && span.pins == 0};
        if (gc::evacuate(marked, heap_.stress.move)) {
            evacuated_.push_back(page);
            to_copy += span.live_bytes;
            destinations.push_back(span.destination);
        }
    });
    // Each destination's last span may be left half empty. At the limit everything is adopted: that takes no memory.
    std::sort(destinations.begin(), destinations.end());
    const auto distinct = std::unique(destinations.begin(), destinations.end()) - destinations.begin();
    const std::uint64_t slack = static_cast<std::uint64_t>(distinct + 1) * detail::kBlockBytes;
    if (!evacuated_.empty() && !heap_.pool.has_room(to_copy + to_copy / 4 + slack)) {
        evacuated_.clear();
    }
    if (!evacuated_.empty()) evacuated_bytes_ = to_copy;
}

void Settlement::evacuate() {
    for (const std::uint32_t page : evacuated_) {
        Span& span = heap_.pages.span(page);
        span.slides = true;
        Region& destination = heap_.regions.at(span.destination);
        for_each_marked(marks_, heap_.pages, page, span, [&](void* object, Header, std::size_t bytes) {
            void* const copy = detail::bump(heap_, destination, bytes);
            PERFLOC_CHECK(copy != nullptr, "internal: an evacuation runs out of the room that it was promised");
            std::memcpy(static_cast<char*>(copy) - kHeaderBytes, static_cast<char*>(object) - kHeaderBytes, bytes);
            forward(object, copy);
        });
    }
}

/// Hands the spans that stay to their destinations; the others remain in the list.
void Settlement::adopt(SpanList& list) {
    SpanList rest;
    while (!list.empty()) {
        const std::uint32_t page = heap_.pages.pop(list);
        Span& span = heap_.pages.span(page);
        if (span.live_bytes == 0 || span.slides) {
            heap_.pages.append(rest, page);
            continue;
        }
        cut_holes(
            heap_, marks_, page, [&](std::uint32_t part) { adopt(part); },
            [&](std::uint32_t hole) { heap_.pages.append(holes_.of(heap_.pages.span(hole)), hole); });
    }
    list = rest;
}

void Settlement::adopt(std::uint32_t page) {
    Span& span = heap_.pages.span(page);
    adopted_.push_back(page);
    Region& destination = heap_.regions.at(span.destination);
    heap_.pages.stamp_region(page, span.pages, destination.index);
    heap_.pages.append(destination.of(span), page);
    ended_.pages -= span.pages;
    destination.pages += span.pages;
    destination.filled_bytes += span.live_bytes;
    destination.attention |= detail::kMoreSpans;
    keep_live_map(heap_, marks_, page, span);
    span.destination = 0;
    span.condemned = false;
    // It may be older than a collection that goes on, and is none of its spans: be it of its new region, or of one that this is merged
    // into later.
    if (heap_.collection.active()) span.settled = heap_.collection.cycle;
}

/// Protocol P14, P18: references of what moved outward are recorded, at their new places.
void Settlement::fix_object(void* object, Header header) {
    ++survived_objects_;
    detail::for_each_ref(object, header, detail::type_shapes(), [&](std::atomic<void*>& slot) {
        void* target = slot.load(std::memory_order_relaxed);
        if (target == nullptr) return;
        if (heap_.pages.region_at(target) == ended_.index) {  // in an evacuated span: adopted ones were stamped
            target = now_at(target);
            slot.store(target, std::memory_order_release);
        }
        detail::record_reference(heap_, slot, target);
    });
}

void Settlement::fix_references() {
    for (const std::uint32_t page : adopted_) {
        const Span& span = heap_.pages.span(page);
        for_each_marked(marks_, heap_.pages, page, span,
                        [&](void* object, Header header, std::size_t) { fix_object(object, header); });
    }
    for (const std::uint32_t page : evacuated_) {
        const Span& span = heap_.pages.span(page);
        for_each_marked(marks_, heap_.pages, page, span, [&](void* object, Header, std::size_t) {
            void* const copy = now_at(object);
            fix_object(copy, header_of(copy));
        });
    }
}

void Settlement::fix_handles() {
    for_each_handle(ended_.handles, [&](HandleNode& node) {
        void* const object = now_at(node.object);
        relink(node, object, heap_.region_at(object).handles);
    });
    follow_global_handles(heap_, ended_);
    for_each_weak(heap_, ended_, [&](HandleNode& node, bool global) {
        void* const object = now_at(node.object);
        Region& region = heap_.region_at(object);
        relink(node, object, global ? region.global_weak : region.weak);
        region.attention |= detail::kWeak;
    });
}

/// Protocol P16: incoming slots go to the destination, unless it encloses their source.
void Settlement::move_slots() {
    // Taken: what is recorded meanwhile may deduplicate whichever set.
    detail::ChunkList<detail::IncomingSlot> slots = ended_.incoming.take();
    slots.for_each([&](const detail::IncomingSlot& incoming) {
        if (!slot_is_live(heap_, incoming)) return;
        void* target = incoming.slot->load(std::memory_order_relaxed);
        if (target == nullptr) return;
        if (heap_.pages.region_at(target) == ended_.index) {
            if (!is_forwarded(target)) return;  // a dead slot's target, in a span that goes
            target = now_at(target);
            incoming.slot->store(target, std::memory_order_release);
        }
        detail::record_reference(heap_, *incoming.slot, target);
    });
    slots.clear(heap_.chunks);
}

void Settlement::move_cleanups() {
    ended_.cleanups.for_each([&](void* object) {
        void* const now = now_at(object);
        Region& region = heap_.region_at(now);
        region.cleanups.push(heap_.chunks, now);
        region.attention |= detail::kCleanups;
    });
    ended_.cleanups.clear(heap_.chunks);
}

}  // namespace perfloc::gc
