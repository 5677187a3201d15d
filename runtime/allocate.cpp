#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/schedule_point.hpp"
#include "runtime/scope_tree.hpp"
#include "runtime/type_table.hpp"

#include <perfloc/detail/allocate.hpp>
#include <perfloc/errors.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>

/// The slow paths of allocation: a new span, pinned and large objects, other regions than the current one.
namespace perfloc::detail {

namespace {

/// A scope that is not listened to has no memory of its own.
Region& real_region(RegionHot& region) {
    Region& r = as_region(region);
    if (!hot.mutator->heap->owns(r)) {
        throw AttachError(
            fmt::format("perfloc: an object is made in scope \"{}\" of another heap than this thread's mutator's",
                        LabelTable::name(r.label)));
    }
    Region& real = r.nominal_of != nullptr ? *r.nominal_of : r;
    freeze_before_change(*hot.mutator->heap, real);  // the current one is frozen already
    return real;
}

std::uint32_t pages_for(std::size_t bytes) {
    return static_cast<std::uint32_t>(std::bit_ceil((bytes + kPageBytes - 1) / kPageBytes));
}

/// 4, 16, 64, then 256 KiB; the first is as large as the scopes of this label have needed.
std::uint32_t next_span_pages(const HeapCore& heap, const Region& region, std::uint32_t last) {
    constexpr std::uint32_t most = kPagesPerBlock;
    if (last != 0) return std::min(most, std::bit_floor(heap.pages.span(last).pages) * 4);  // a hole has any number
    if (region.counters == nullptr) return 1;
    // Many may be open at once, of detached scopes and in a recursion: each starts small.
    const auto same = [&](const Region* outer) { return outer != nullptr && outer->counters == region.counters; };
    const Region* const parent = region.parent_region();
    const bool many = region.detached || same(parent) || (parent != nullptr && same(parent->parent_region()));
    return many ? std::min(4u, region.counters->shape_pages) : region.counters->shape_pages;
}

constexpr std::uint32_t kWantsHoles = 16;  // pages: what follows the least hole is as large

/// The largest span that the limit allows, from what is wanted down to what is needed. What has grown large fills holes first,
/// where there are many.
std::uint32_t take_span(HeapCore& heap, Region& region, std::uint32_t wanted, std::uint32_t needed, SpanKind kind) {
    if (wanted >= kWantsHoles && region.pages >= kPagesPerBlock && heap.pool.worth_filling_holes()) {
        if (const std::uint32_t page = heap.pool.take_hole(region, needed, kind); page != 0) {
            heap.note_span(page);
            return page;
        }
    }
    release_dropped(heap);
    for (unsigned round = 0;; ++round) {
        for (std::uint32_t pages = std::max(wanted, needed); pages >= needed; pages /= 4) {
            if (const std::uint32_t page = heap.pool.take(region, pages, kind); page != 0) {
                heap.note_span(page);
                return page;
            }
            if (pages == needed || pages / 4 < needed) break;
        }
        if (const std::uint32_t page = heap.pool.take(region, needed, kind); page != 0) {
            heap.note_span(page);
            return page;
        }
        if (!release_spares(heap, kSparesAtOnce << std::min(round, 20u))) return 0;  // which walks the scopes each time
    }
}

/// A scope that grows large between two polls (in the stress mode any scope) gives the collection its slices here: before
/// memory is taken, so that a slice finds nothing half made.
void attend_allocation(HeapCore& heap, const Region& region) {
    if (!heap.collection.active()) return;
    const std::uint64_t large = heap.stress.condemn ? 0 : kPagesPerBlock;
    if (region.pages < large) return heap.collector->handshake();
    Region& current = *heap.current_region();
    store_hot();
    heap.collector->attend_allocation();
    load_hot(current);
}

void* place(char* at, Header header) {
    *reinterpret_cast<Header*>(at) = header;
    return at + kHeaderBytes;
}

void* allocate_large(HeapCore& heap, Region& region, std::size_t bytes, Header header) {
    if (bytes > heap.memory.bytes() || bytes > heap.pool.limit_bytes()) {
        throw ObjectTooLarge(
            fmt::format("perfloc: an object of {} bytes of type {} can never fit: the heap's limit is {} "
                        "bytes, its reservation {}",
                        bytes, type_info(header_type(header)).name, heap.pool.limit_bytes(), heap.memory.bytes()));
    }
    attend_allocation(heap, region);
    std::uint32_t page = heap.pool.take_large(region, bytes);
    if (page == 0 && release_spares(heap)) page = heap.pool.take_large(region, bytes);
    if (page == 0 && relieve(heap)) page = heap.pool.take_large(region, bytes);
    if (page == 0) out_of_memory(heap, bytes, header);
    region.attention |= kMoreSpans;
    region.filled_bytes += bytes;
    Span& span = heap.pages.span(page);
    span.top_bytes = bytes;
    heap.note_span(page);
    return place(heap.pages.address_of(page), header);
}

}  // namespace

bool relieve(HeapCore& heap) {
    if (hot.quiet != 0 || (!heap.collection.active() && heap.first_parked == nullptr)) return false;
    Region& current = *heap.current_region();
    store_hot();
    const bool any = heap.collector->relieve();
    load_hot(current);
    return any;
}

bool refill(HeapCore& heap, Region& region, std::size_t bytes) {
    const std::uint32_t wanted = next_span_pages(heap, region, region.current_span);
    const std::uint32_t page = take_span(heap, region, wanted, pages_for(bytes), SpanKind::movable);
    if (page == 0) return false;
    if (region.current_span != 0) {
        Span& full = heap.pages.span(region.current_span);
        full.top_bytes = static_cast<std::uint64_t>(region.cursor - heap.pages.address_of(region.current_span));
        full.bumped = false;
        region.filled_bytes += full.top_bytes;
    }
    char* const start = heap.pages.address_of(page);
    Span& span = heap.pages.span(page);
    span.bumped = true;
    if (region.first_span == 0) {
        region.first_span = page;
        region.start = start;
    } else {
        region.attention |= kMoreSpans;
    }
    region.current_span = page;
    region.cursor = start;
    region.span_bytes = compared_bytes(page, span);
    region.limit = start + std::uintptr_t{span.pages} * kPageBytes;
    return true;
}

void* bump(HeapCore& heap, Region& region, std::size_t bytes) {
    if (static_cast<std::size_t>(region.limit - region.cursor) < bytes && !refill(heap, region, bytes)) return nullptr;
    char* const at = region.cursor;
    region.cursor += bytes;
    return at + kHeaderBytes;
}

void write_tops(HeapCore& heap, Region& region) {
    if (region.current_span != 0) {
        heap.pages.span(region.current_span).top_bytes =
            static_cast<std::uint64_t>(region.cursor - heap.pages.address_of(region.current_span));
    }
    if (region.pinned_span != 0) {
        heap.pages.span(region.pinned_span).top_bytes =
            static_cast<std::uint64_t>(region.pinned_cursor - heap.pages.address_of(region.pinned_span));
    }
}

void retire_cursors(HeapCore& heap, Region& region) {
    write_tops(heap, region);
    region.filled_bytes = allocated_bytes(heap, region);
    for (std::uint32_t* span : {&region.current_span, &region.pinned_span}) {
        if (*span != 0) heap.pages.span(*span).bumped = false;
        *span = 0;
    }
    region.cursor = region.limit = region.pinned_cursor = region.pinned_limit = nullptr;
    region.span_bytes = 1;
}

void out_of_memory(HeapCore& heap, std::size_t bytes, Header header) {
    heap.refused = heap.safepoint_due =
        true;  // law [progress]: a program that polls now and tries again has what was garbage
    const RegionHot* innermost = hot.region;
    if (heap.mutator() != nullptr && heap.mutator()->nominal_top != nullptr) innermost = heap.mutator()->nominal_top;
    const std::uint64_t since =
        heap.mutator() != nullptr ? heap.totals.span_bytes - heap.mutator()->bytes_at_last_poll : 0;
    throw OutOfMemory(
        fmt::format("perfloc: out of memory: {} bytes for {} in scope \"{}\"; {} bytes committed of a limit of {}, "
                    "{} used by open scopes, {} bytes since the last poll of this mutator",
                    bytes, type_info(header_type(header)).name, LabelTable::name(innermost->label),
                    heap.pool.committed_bytes(), heap.pool.limit_bytes(), heap.pool.used_bytes(), since));
}

void* allocate_slow(std::size_t bytes, Header header) {
    if (hot.mutator == nullptr) {
        throw AttachError(fmt::format("perfloc: an object of type {} is made on a thread without a mutator",
                                      type_info(header_type(header)).name));
    }
    HeapCore& heap = *hot.mutator->heap;
    Region& region = as_region(*hot.region);
    if (bytes > kLargeBytes) return allocate_large(heap, region, bytes, header);
    attend_allocation(heap, region);
    store_hot();
    if (!refill(heap, region, bytes) && !(relieve(heap) && refill(heap, region, bytes)))
        out_of_memory(heap, bytes, header);
    region.cursor += bytes;
    load_hot(region);
    schedule_point();
    if (heap.collection.active()) heap.collector->handshake();  // protocol P10: as the last action
    return place(region.cursor - bytes, header);
}

void* allocate_in(RegionHot& hot_region, std::size_t bytes, Header header) {
    if (hot.mutator == nullptr) return allocate_slow(bytes, header);  // which says so
    Region& region = real_region(hot_region);
    if (&region != &hot_region) as_region(hot_region).nominal_bytes += bytes;
    HeapCore& heap = *hot.mutator->heap;
    if (bytes > kLargeBytes) return allocate_large(heap, region, bytes, header);
    if (&region == hot.region) return allocate(bytes, header);
    if (static_cast<std::size_t>(region.limit - region.cursor) < bytes) attend_allocation(heap, region);
    void* object = bump(heap, region, bytes);
    if (object == nullptr && relieve(heap)) object = bump(heap, region, bytes);
    if (object == nullptr) out_of_memory(heap, bytes, header);
    header_of(object) = header;
    return object;
}

void* allocate_pinned(RegionHot& hot_region, std::size_t bytes, std::size_t alignment, Header header) {
    if (hot.mutator == nullptr) return allocate_slow(bytes, header);
    HeapCore& heap = *hot.mutator->heap;
    Region& region = real_region(hot_region);
    if (&region != &hot_region) as_region(hot_region).nominal_bytes += bytes;
    if (alignment > kPageBytes) {
        throw Error(fmt::format("perfloc: {} has an alignment of {} bytes; the most is {}",
                                type_info(header_type(header)).name, alignment, kPageBytes));
    }
    const std::size_t slack = alignment > kWordBytes ? alignment : 0;  // the object, not its header, is aligned
    if (bytes + slack > kLargeBytes) {
        // A large object starts its span; an over-aligned one needs a filler before its header.
        if (slack == 0) return allocate_large(heap, region, bytes, header);
        char* const start =
            static_cast<char*>(allocate_large(heap, region, bytes + slack - kHeaderBytes, header)) - kHeaderBytes;
        header_of(start + kHeaderBytes) = make_header(kFillerType, (slack - kHeaderBytes) / kWordBytes);
        return place(start + slack - kHeaderBytes, header);
    }
    char* at = region.pinned_cursor;
    const auto gap = [alignment](const char* p) {
        return (alignment - (reinterpret_cast<std::uintptr_t>(p) + kHeaderBytes) % alignment) % alignment;
    };
    const auto fits = [&] {
        return at != nullptr && static_cast<std::size_t>(region.pinned_limit - at) >= gap(at) + bytes;
    };
    if (!fits()) {
        attend_allocation(heap, region);
        at = region.pinned_cursor;
    }
    if (!fits()) {
        const std::uint32_t wanted = region.pinned_span == 0 ? 1 : next_span_pages(heap, region, region.pinned_span);
        std::uint32_t page = take_span(heap, region, wanted, pages_for(bytes + slack), SpanKind::pinned);
        if (page == 0 && relieve(heap)) {
            at = region.pinned_cursor;
            page = take_span(heap, region, pages_for(bytes + slack), pages_for(bytes + slack), SpanKind::pinned);
        }
        if (page == 0) out_of_memory(heap, bytes, header);
        if (region.pinned_span != 0) {
            Span& full = heap.pages.span(region.pinned_span);
            full.top_bytes = static_cast<std::uint64_t>(at - heap.pages.address_of(region.pinned_span));
            full.bumped = false;
            region.filled_bytes += full.top_bytes;
        }
        region.attention |= kMoreSpans;
        region.pinned_span = page;
        heap.pages.span(page).bumped = true;
        at = heap.pages.address_of(page);
        region.pinned_limit = at + std::size_t{heap.pages.span(page).pages} * kPageBytes;
    }
    if (const std::size_t filler = gap(at); filler != 0) {
        *reinterpret_cast<Header*>(at) = make_header(kFillerType, filler / kWordBytes);
        at += filler;
    }
    region.pinned_cursor = at + bytes;
    return place(at, header);
}

void add_cleanup(RegionHot& hot_region, void* object) noexcept {
    Region& region = real_region(hot_region);
    region.cleanups.push(hot.mutator->heap->chunks, object);
    region.attention |= kCleanups;
}

void bad_length(std::string_view type, std::int64_t length, bool negative) {
    throw LengthError(negative ? fmt::format("perfloc: the length of {} is negative: {}", type, length)
                               : fmt::format("perfloc: the bytes of {} overflow at a length of {}", type,
                                             static_cast<std::uint64_t>(length)));
}

}  // namespace perfloc::detail
