#include "runtime/scope_tree.hpp"

#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/poison.hpp"
#include "runtime/schedule_point.hpp"

#include <perfloc/errors.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <utility>

namespace perfloc::detail {

namespace {

constexpr std::uint32_t kStampAtOnce = 8;  // spans

/// Under stress and ASan a released region is poisoned: a stale pointer into it is found.
void poison_region(HeapCore& heap, Region& region) {
    if (!kAsan && !heap.stress.quarantine()) return;
    heap.pages.for_each(region, [&](std::uint32_t page, const Span& span) {
        char* const start = heap.pages.address_of(page);
        const std::size_t bytes = std::size_t{span.pages} * kPageBytes;
        if (heap.stress.quarantine()) {
            unpoison(start, bytes);
            std::memset(start, kPoisonByte, bytes);
        }
        poison(start, bytes);
    });
}

/// The size of first span that would have held all of the region.
void remember_shape(const HeapCore& heap, Region& region) {
    if (region.counters == nullptr) return;
    // Not more than a block, and not of large objects, of which there may be many.
    std::uint64_t pages = region.blocks.empty() ? 0 : kPagesPerBlock;
    for (std::uint32_t page = region.runs.head; page != 0 && pages < kPagesPerBlock;
         page = heap.pages.span(page).next) {
        pages += heap.pages.span(page).pages;
    }
    const auto shape = static_cast<std::uint32_t>(std::bit_ceil(std::min<std::uint64_t>(pages, kPagesPerBlock)));
    region.counters->shape_pages = std::max(region.counters->shape_pages, shape);
}

/// Protocol P3, P6: an inner scope is not settled yet, or the running collection looks at this one. And where survivors
/// came from another lineage since the last poll, or into a detached scope some time after their own scope's end, raw pointers
/// to them may have been obtained outside this scope.
bool must_wait(const HeapCore& heap, const Region& region) {
    return region.pending != 0 || heap.regions.record(region).looked_at != 0 ||
           region.received_poll == heap.collection.polls;
}

/// Neither is the region's memory idle, nor is it a spare, until it is settled.
void no_spare(const Region& region) {
    if (Region* const parent = region.parent_region(); parent->spare == &region) parent->spare = nullptr;
}

void clear_memory(HeapCore& heap, Region& region) {
    region.incoming.clear(heap.chunks);
    region.cleanups.clear(heap.chunks);
}

}  // namespace

bool releasable(HeapCore& heap, const Region& region) {
    if (!region.incoming.empty() || !region.cleanups.empty() || !list_empty(region.handles)) return false;
    if ((region.attention & kWeak) == 0) return true;
    const std::lock_guard guard(heap.global_handles);  // another thread may drop one of them just now
    return list_empty(region.weak) && list_empty(region.global) && list_empty(region.global_weak);
}

void release_region(HeapCore& heap, Region& region) {
    Region* const parent = region.parent_region();
    const bool only_first = region.spans() == 1 && region.first_span != 0 && region.current_span == region.first_span;
    const bool may_stay = parent != nullptr && parent != heap.root && !region.detached && !heap.stress.any() &&
                          !kAsan && (parent->spare == nullptr || parent->spare == &region);
    if (may_stay && (only_first || region.spans() == 0)) {
        // law [stale]: a slot of it is recorded elsewhere; the generation makes those records stale before the span is
        // used again.
        if (only_first) {
            Span& span = heap.pages.span(region.first_span);
            if (region.attention & kSource) span.generation = heap.pool.new_generation();
            span.live_map = false;
        } else {
            region.first_span = region.current_span = 0;
            region.start = region.limit = nullptr;
            region.span_bytes = 1;
        }
        region.incoming.clear_but_one(heap.chunks);
        region.cleanups.clear(heap.chunks);
        region.filled_bytes = 0;
        region.merged_poll = 0;
        region.cursor = region.start;
        region.attention = heap.standing_attention();
        parent->spare = &region;
        // The next begin touches no record: it is that of an open region already.
        heap.regions.open(region, heap.regions.record(*parent).key + 1);
        return;
    }
    clear_memory(heap, region);
    if (parent != nullptr && parent->spare == &region) parent->spare = nullptr;
    drop_spares(heap, region);
    remember_shape(heap, region);
    // Protocol P20: a detached scope's slots are walked even if it ends before. (What was loaded from a lexical scope's is
    // good no longer than that scope.)
    if (is_source(heap, region)) {
        heap.regions.close(region, RegionState::parked);
        region.enclosing = heap.root;
        region.parked_at = ++heap.collection.parked;
        region.next = heap.first_parked;
        heap.first_parked = &region;
        return;
    }
    poison_region(heap, region);
    heap.pool.release(region);
}

bool release_parked(HeapCore& heap) {
    Region* const region = heap.first_parked;
    if (region == nullptr) return false;
    heap.first_parked = region->next;
    poison_region(heap, *region);
    heap.pool.release(*region);
    return true;
}

void retire_region(HeapCore& heap, Region& region) {
    clear_memory(heap, region);
    remember_shape(heap, region);
    poison_region(heap, region);
    heap.pool.release(region);
}

void drop_spares(HeapCore& heap, Region& region) {
    Region* const spare = region.spare_region();
    if (spare == nullptr) return;
    region.spare = nullptr;
    spare->next = std::exchange(heap.first_dropped, spare);
    release_dropped(heap);
}

bool release_dropped(HeapCore& heap, unsigned most) {
    for (; most != 0 && heap.first_dropped != nullptr; --most) {
        Region& spare = *heap.first_dropped;
        heap.first_dropped = spare.next;
        if (Region* const inner = spare.spare_region()) inner->next = std::exchange(heap.first_dropped, inner);
        spare.spare = nullptr;
        clear_memory(heap, spare);
        heap.pool.release(spare);
    }
    return heap.first_dropped != nullptr;
}

bool release_spares(HeapCore& heap, unsigned most) {
    if (heap.mutator() == nullptr) return false;
    const bool any = heap.first_dropped != nullptr;
    if (any && most != UINT_MAX) {
        release_dropped(heap, most);
        return true;
    }
    unsigned found = 0;
    // The spare of an enclosing region is the open inner one, or a closed one.
    const auto drop = [&](Region& region, const Region* inner) {
        const Region* const spare = region.spare_region();
        if (spare == nullptr || spare == inner || heap.regions.state(*spare) == RegionState::unused) return;
        drop_spares(heap, region);
        ++found;
    };
    const Region* inner = nullptr;
    for (Region* region = heap.current_region(); region != nullptr && region != heap.root && found < most;) {
        drop(*region, inner);
        inner = region;
        region = region->around();
    }
    if (found < most) drop(*heap.root, inner);
    for (Region* region = heap.first_detached; region != nullptr && found < most; region = region->next_listed) {
        if (!region->entered) drop(*region, nullptr);
    }
    release_dropped(heap, most);
    return any || found != 0;
}

Region* new_region(HeapCore& heap, std::uint64_t key, Region* parent) {
    Region* region = heap.regions.create(key, parent);
    if (region != nullptr) return region;
    const bool attached = hot.mutator != nullptr && hot.mutator->heap == &heap;
    if (attached && release_spares(heap)) region = heap.regions.create(key, parent);
    const auto take_back = [&] {
        heap.pool.drain_quarantine();
        heap.pool.consolidate();
        region = heap.regions.create(key, parent);
        if (region != nullptr || !attached) return;
        // Records of scopes that were kept. Where a collection looks at them it does this itself.
        heap.for_each_open_region([&](Region& open) {
            if (heap.regions.record(open).looked_at == 0) stamp_absorbed(heap, open);
        });
        region = heap.regions.create(key, parent);
    };
    if (region == nullptr) take_back();
    if (region == nullptr && attached) {
        relieve(heap);  // records too, where it frees no memory
        take_back();
    }
    return region;
}

Region& open_region(HeapCore& heap, Region& parent, const Label& label) {
    const std::uint64_t key = heap.regions.record(parent).key + 1;
    if (RegionTable::depth_of(key) >= kDepthSpan - 1) {
        throw ScopeError(
            fmt::format("perfloc: scope \"{}\" is nested deeper than {}", LabelTable::name(label), kDepthSpan - 2));
    }
    LabelCounters& counters = heap.labels.find(label);  // which may throw: before anything has changed
    Region* region = parent.spare_region();
    if (region != nullptr) {
        heap.regions.open(*region, key);
        region->cursor = region->start;  // a fast end leaves it where the last refill put it
        region->filled_bytes = 0;
    } else {
        region = new_region(heap, key, &parent);
        if (region == nullptr) {
            throw OutOfMemory(fmt::format("perfloc: no room for one more scope (\"{}\"): {} regions are in use",
                                          LabelTable::name(label), heap.regions.end() - 1));
        }
        parent.spare = region;
    }
    region->label = label;
    region->counters = &counters;
    region->attention = heap.standing_attention();
    return *region;
}

void note_merged(const HeapCore& heap, const Region& region, Region& into) {
    const bool open = heap.regions.state(into) == RegionState::open;
    const bool first = open && into.merged_poll != heap.collection.polls;
    into.parked_before = first ? region.parked_before : std::min(into.parked_before, region.parked_before);
    if (open) into.merged_poll = heap.collection.polls;
}

void merge_region(HeapCore& heap, Region& region, Region& into) {
    drop_spares(heap, region);
    if (into.spare == &region) into.spare = nullptr;
    const std::uint64_t allocated = allocated_bytes(heap, region);
    write_tops(heap, region);

    // Whichever bump span has more room stays in use.
    const bool take_over = region.limit - region.cursor > into.limit - into.cursor;
    Region& ends = take_over ? into : region;
    if (ends.current_span != 0) {
        Span& full = heap.pages.span(ends.current_span);
        full.top_bytes = static_cast<std::uint64_t>(ends.cursor - heap.pages.address_of(ends.current_span));
        full.bumped = false;
    }
    if (take_over) {
        const std::uint64_t before = allocated_bytes(heap, into);
        into.current_span = region.current_span;
        into.cursor = region.cursor;
        into.limit = region.limit;
        into.span_bytes = region.span_bytes;
        into.filled_bytes += before + allocated - allocated_bytes(heap, into);
    } else {
        into.filled_bytes += allocated;
    }
    if (region.pinned_span != 0) {
        if (into.pinned_span == 0) {
            into.pinned_span = region.pinned_span;
            into.pinned_cursor = region.pinned_cursor;
            into.pinned_limit = region.pinned_limit;
            into.filled_bytes -=
                static_cast<std::uint64_t>(into.pinned_cursor - heap.pages.address_of(into.pinned_span));
        } else {
            heap.pages.span(region.pinned_span).bumped = false;
        }
    }
    if (into.first_span == 0) into.first_span = region.first_span, into.start = region.start;

    // In the stress mode none, so that small programs too have regions that stand for others.
    const std::uint32_t most = heap.stress.condemn ? 0 : kStampAtOnce;
    bool all_stamped = region.spans() <= most && region.absorbed == nullptr;
    if (all_stamped) {
        heap.pages.for_each(region, [&](std::uint32_t page, const Span& span) {
            if (span.pages > kStampAtOnce * kPagesPerBlock) {
                all_stamped = false;
            } else {
                heap.pages.stamp_region(page, span.pages, into.index);
            }
        });
    }
    if (region.spans() != 0) into.attention |= kMoreSpans;
    heap.pages.splice(into, region);
    into.pages += region.pages;
    region.pages = 0;

    into.incoming.splice(heap.chunks, region.incoming);
    into.cleanups.splice(region.cleanups);
    splice_handles(into.handles, region.handles);
    splice_handles(into.weak, region.weak);
    {
        const std::lock_guard guard(heap.global_handles);
        splice_handles(into.global, region.global);
        splice_handles(into.global_weak, region.global_weak);
    }
    into.attention |= region.attention & (kIncoming | kSource | kCleanups | kWeak);
    if (heap.regions.record(region).published != 0) heap.regions.record(into).published = 1;

    if (all_stamped) {
        heap.regions.recycle(region);
    } else {
        heap.regions.merge(region, into);
        Region* const inner = std::exchange(region.absorbed, nullptr);  // their records lead through this one's
        Region* const last = inner != nullptr ? region.absorbed_last : &region;
        region.next = inner;
        last->next = into.absorbed;
        if (into.absorbed == nullptr) into.absorbed_last = last;
        into.absorbed = &region;
    }
}

void stamp_absorbed(HeapCore& heap, Region& region) {
    if (region.absorbed == nullptr) return;
    heap.pages.for_each(region, [&](std::uint32_t page, const Span& span) {
        if (heap.pages.region_at(heap.pages.address_of(page)) != region.index) {
            heap.pages.stamp_region(page, span.pages, region.index);
        }
    });
    while (region.absorbed != nullptr) {
        Region& merged = *region.absorbed;
        region.absorbed = merged.next;
        heap.regions.recycle(merged);
    }
}

ScopeReport end_region(HeapCore& heap, Region& region, Region& enclosing) noexcept {
    ScopeReport report;
    report.allocated_bytes = allocated_bytes(heap, region);
    LabelCounters& counters = *region.counters;
    counters.slow_ended += 1;
    counters.slow_bytes += report.allocated_bytes;
    if (region.merged_poll != heap.collection.polls) region.parked_before = heap.collection.parked;
    // A full collection may be looking at the region: law [park].
    schedule_point();
    if (must_wait(heap, region)) {
        no_spare(region);
        heap.collector->condemn(region, enclosing);
        report.settled = false;
    } else if ((region.attention & kKeep) != 0 || heap.whole_heap_destroys) {
        counters.kept += 1;
        if (region.merged_poll == heap.collection.polls) note_merged(heap, region, enclosing);
        merge_region(heap, region, enclosing);
        report.promoted_bytes = report.allocated_bytes;
    } else if (releasable(heap, region)) {
        release_region(heap, region);
        report.released_bytes = report.allocated_bytes;
        report.constant_time = true;
        counters.slow_released_bytes += report.allocated_bytes;
        heap.totals.released_bytes += report.allocated_bytes;
        heap.totals.scopes_released += 1;
    } else {
        no_spare(region);
        heap.collector->end_scope(region, enclosing, report);
        counters.promoted_bytes += report.promoted_bytes;
        heap.totals.promoted_bytes += report.promoted_bytes;
    }
    schedule_point();
    release_dropped(heap);
    if (heap.collection.active()) heap.collector->attend();
    if (heap.stress.verify && heap.is_dying == nullptr) {  // else a dying set is in the middle of its collection
        const VerifyReport verdict = heap.collector->verify();
        PERFLOC_CHECK(verdict.ok(), "after the end of a scope: {}", verdict.violations.front());
    }
    return report;
}

}  // namespace perfloc::detail
