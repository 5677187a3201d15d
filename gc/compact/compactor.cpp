#include "gc/compact/compactor.hpp"

#include "gc/compact/move.hpp"
#include "gc/mark/marked_objects.hpp"
#include "gc/policy/full_policy.hpp"
#include "gc/roots.hpp"
#include "gc/settle/holes.hpp"
#include "gc/sweep/live_map.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"
#include "runtime/poison.hpp"

#include <algorithm>
#include <cstring>

namespace perfloc::gc {

using detail::kPageBytes;
using detail::SpanKind;
using detail::SpanList;

namespace {

/// The smallest span that always takes one more object when it is empty; smaller ones stay.
constexpr std::uint32_t kLeastSlidingPages = 2 * detail::kLargeBytes / kPageBytes;

}  // namespace

void Compactor::run() {
    for (Region* const region : regions_) free_empty(*region);
    for (Region* const region : regions_) choose(*region);
    if (!worth_it()) {
        for (SlidePlan& plan : plans_) {
            for (const std::uint32_t page : plan.spans) heap_.pages.span(page).slides = false;
            stayed_ += plan.spans.size();
        }
        plans_.clear();
    }
    SlidePlanner planner(heap_, marks_, forwarding_);
    for (SlidePlan& plan : plans_) {
        planner.plan(plan);
        slid_ += plan.spans.size();
    }
    for (Region* const region : regions_) {
        filter_slots(*region);
        if (plans_.empty()) continue;
        move_cleanups(*region);
        move_handles(*region);
    }
    if (!plans_.empty()) move_objects();
    for (SlidePlan& plan : plans_) finish(plan);
    for (Region* const region : regions_) {
        free_holes(*region);
        settle_accounts(*region);
    }
}

void Compactor::free_empty(Region& region) {
    for (SpanList* const list : region.lists()) {
        SpanList kept;
        while (!list->empty()) {
            const std::uint32_t page = heap_.pages.pop(*list);
            Span& span = heap_.pages.span(page);
            const bool empty = span.condemned && span.live_bytes == 0 && span.pins == 0;
            if (empty && !span.bumped) {
                heap_.pool.release_span(region, page);
                continue;
            }
            // What is bumped into starts again: as good as handed out anew.
            if (empty && (page == region.current_span || page == region.pinned_span)) {
                (page == region.current_span ? region.cursor : region.pinned_cursor) = heap_.pages.address_of(page);
                span.top_bytes = 0;
                span.generation = heap_.pool.new_generation();
            }
            heap_.pages.append(kept, page);
        }
        *list = kept;
    }
}

/// Which spans of a region slide: movable, not pinned, sparse.
void Compactor::choose(Region& region) {
    SlidePlan plan(heap_, region);
    const auto consider = [&](std::uint32_t page, Span& span) {
        if (!span.condemned || span.live_bytes == 0) return;
        const bool can =
            span.kind == SpanKind::movable && span.pins == 0 && (move_all_ || span.pages >= kLeastSlidingPages);
        // What nothing is bumped into any more has an end that is lost too.
        const std::uint64_t bytes = span.bumped ? span.top_bytes : std::uint64_t{span.pages} * kPageBytes;
        if (can && (move_all_ || !stays(span.live_bytes, bytes))) {
            span.slides = true;
            plan.spans.push_back(page);
        } else {
            ++stayed_;
        }
    };
    heap_.pages.for_each(region.runs, consider);
    heap_.pages.for_each(region.blocks, consider);
    if (plan.spans.empty()) return;
    plan.fresh = move_all_;
    if (!plan.fresh) plan.destinations = plan.spans;
    plans_.push_back(std::move(plan));
}

bool Compactor::worth_it() {
    std::uint64_t live = 0;
    for (Region* const region : regions_) {
        for_each_span(heap_, *region, [&](std::uint32_t, const Span& span) { live += span.live_bytes; });
    }
    std::uint64_t held = 0;
    std::uint64_t sliding = 0;
    for (const SlidePlan& plan : plans_) {
        for (const std::uint32_t page : plan.spans) {
            held += std::uint64_t{heap_.pages.span(page).pages} * kPageBytes;
            sliding += heap_.pages.span(page).live_bytes;
        }
    }
    if (move_all_) return heap_.pool.has_room(sliding + sliding / 4 + plans_.size() * 2 * detail::kBlockBytes);
    return worth_sliding(held - sliding, live);
}

/// law [remset], [stale]: slots of the dead are dropped, the others are where their objects go.
void Compactor::filter_slots(Region& region) {
    region.incoming.filter(heap_.chunks, [&](detail::IncomingSlot& incoming) {
        const std::uint32_t page = heap_.pages.span_page(incoming.slot);
        const Span& span = heap_.pages.span(page);
        if (span.generation != incoming.generation || heap_.pages.region_at(incoming.slot) == detail::kNoRegion)
            return false;
        if (heap_.regions.state(heap_.regions.resolve(heap_.pages.region_at(incoming.slot))) !=
            detail::RegionState::open) {
            return false;
        }
        if (span.condemned && !marked_word(marks_, heap_.pages, incoming.slot)) return false;
        if (!span.slides) return true;
        char* const to = forwarding_.word(reinterpret_cast<char*>(incoming.slot));
        incoming.slot = reinterpret_cast<std::atomic<void*>*>(to);
        incoming.generation = heap_.pages.span_at(to).generation;
        return true;
    });
}

void Compactor::move_cleanups(Region& region) {
    region.cleanups.filter(heap_.chunks, [&](void*& object) {
        object = forwarding_.object(object);
        return true;
    });
}

void Compactor::move_handles(Region& region) {
    const auto follow = [&](HandleNode& node) { node.object = forwarding_.object(node.object); };
    for_each_handle(region.handles, follow);
    for_each_handle(region.weak, follow);
    const std::lock_guard guard(heap_.global_handles);
    for_each_handle(region.global, follow);
    for_each_handle(region.global_weak, follow);
}

/// References and objects in one pass over the survivors: new addresses come from the table, so the old headers are free
/// to be overwritten.
void Compactor::move_objects() {
    for (Region* const region : regions_) {
        for_each_span(heap_, *region, [&](std::uint32_t page, const Span& span) {
            if (!span.slides) update_span(heap_, marks_, forwarding_, page, span);
        });
    }
    for (const SlidePlan& plan : plans_) {
        for (const std::uint32_t page : plan.spans) move_span(heap_, marks_, forwarding_, page, heap_.pages.span(page));
    }
}

void Compactor::finish(SlidePlan& plan) {
    Region& region = *plan.region;
    for (const std::uint32_t page : plan.spans) {
        const Span& span = heap_.pages.span(page);
        const std::size_t first = marks_.index_of(heap_.pages.address_of(page)) / 64;
        const std::size_t words = (span.top_bytes + MarkBitmap::kBytesPerMark - 1) / MarkBitmap::kBytesPerMark;
        std::memset(&forwarding_.base(first), 0, words * sizeof(std::uint64_t));
    }
    for (std::size_t i = 0; i < plan.used(); ++i) {
        Span& span = heap_.pages.span(plan.destinations[i]);
        span.top_bytes = plan.tops[i];
        span.live_bytes = plan.tops[i];
        span.live_map = false;
        span.condemned = false;  // settle_accounts: nothing in it is dead
    }
    // The cursor goes to the end of what has slid, unless its span stays.
    const bool cursor_slid = region.current_span != 0 && heap_.pages.span(region.current_span).slides;
    if (cursor_slid) heap_.pages.span(region.current_span).bumped = false;
    if (region.current_span == 0 || cursor_slid) {
        const std::uint32_t page = plan.destinations[plan.used() - 1];
        Span& span = heap_.pages.span(page);
        region.current_span = page;
        region.span_bytes = detail::compared_bytes(page, span);
        region.cursor = heap_.pages.address_of(page) + span.top_bytes;
        region.limit = heap_.pages.address_of(page) + std::uintptr_t{span.pages} * kPageBytes;
        span.bumped = true;
    }
    // Spans that are not needed any more: those behind the last one used, or all sources where the spans are fresh.
    const std::size_t first_free = plan.fresh ? 0 : plan.used();
    for (std::size_t i = 0; i < plan.spans.size(); ++i) {
        Span& span = heap_.pages.span(plan.spans[i]);
        if (i < first_free) {
            span.slides = false;
        }
    }
    Region* retired =
        heap_.stress.quarantine() ? heap_.regions.create(detail::RegionTable::kOwnLineage, nullptr) : nullptr;
    for (SpanList* list : {&region.blocks, &region.runs}) {
        SpanList kept;
        while (!list->empty()) {
            const std::uint32_t page = heap_.pages.pop(*list);
            Span& span = heap_.pages.span(page);
            if (!span.slides) {
                heap_.pages.append(kept, page);
                continue;
            }
            if (retired == nullptr) {
                heap_.pool.release_span(region, page);
                continue;
            }
            // Stress: what looks at an old copy finds poison, for a while.
            char* const start = heap_.pages.address_of(page);
            const std::size_t bytes = std::size_t{span.pages} * kPageBytes;
            std::memset(start, detail::kPoisonByte, bytes);
            detail::poison(start, bytes);
            heap_.pages.stamp_region(page, span.pages, retired->index);
            heap_.pages.append(retired->of(span), page);
            region.pages -= span.pages;
            retired->pages += span.pages;
        }
        *list = kept;
    }
    if (retired != nullptr) heap_.pool.release(*retired);
}

/// Of what stays, but for what is bumped into.
void Compactor::free_holes(Region& region) {
    detail::SpanLists kept;
    for (SpanList* const list : region.lists()) {
        while (!list->empty()) {
            const std::uint32_t page = heap_.pages.pop(*list);
            const auto keep = [&](std::uint32_t part) { heap_.pages.append(kept.of(heap_.pages.span(part)), part); };
            const Span& span = heap_.pages.span(page);
            if (!span.condemned || span.bumped || span.live_bytes == 0) {
                keep(page);
            } else {
                cut_holes(heap_, marks_, page, keep,
                          [&](std::uint32_t hole) { heap_.pool.release_span(region, hole); });
            }
        }
    }
    static_cast<detail::SpanLists&>(region) = kept;
}

/// What stays has a live map where something in it is dead; the region's figures are true again.
void Compactor::settle_accounts(Region& region) {
    region.filled_bytes = 0;
    bool has_first = false;
    for_each_span(heap_, region, [&](std::uint32_t page, Span& span) {
        if (span.condemned) {
            keep_live_map(heap_, marks_, page, span);
            if (span.live_map) region.attention |= detail::kMoreSpans;
        }
        span.condemned = false;
        span.destination = 0;
        if (page != region.current_span && page != region.pinned_span) {
            region.filled_bytes += counted_bytes(heap_, page, span);
        }
        has_first = has_first || page == region.first_span;
    });
    // law [stale]: a span with a live map takes no new objects, since they would have no mark.
    const auto close = [&](std::uint32_t& page, char*& cursor, char*& limit) {
        if (page == 0 || !heap_.pages.span(page).live_map) return;
        region.filled_bytes += counted_bytes(heap_, page, heap_.pages.span(page));
        heap_.pages.span(page).bumped = false;
        page = 0;
        cursor = limit = nullptr;
    };
    close(region.current_span, region.cursor, region.limit);
    close(region.pinned_span, region.pinned_cursor, region.pinned_limit);
    if (region.current_span == 0) region.span_bytes = 1;
    if (!has_first) {
        region.first_span = region.current_span;
        region.start = region.current_span != 0 ? heap_.pages.address_of(region.current_span) : nullptr;
    }
    region.attention |= detail::kMoreSpans;
}

}  // namespace perfloc::gc
