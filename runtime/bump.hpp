#pragma once

#include "runtime/heap_core.hpp"

#include <bit>

/// The mutator's hot words against the fields of its current region, and the spans that cursors run in.
namespace perfloc::detail {

/// Writes the hot cursor back: from here on the region's fields are true.
inline void store_hot() { hot.region->cursor = hot.cursor; }

/// Makes `region` current: its fields are loaded into the hot words.
inline void load_hot(Region& region) {
    hot.region = &region;
    hot.cursor = region.cursor;
    hot.limit = region.limit;
    hot.span_bytes = region.span_bytes;
}

/// RegionHot::span_bytes for a current span.
inline std::uintptr_t compared_bytes(std::uint32_t page, const Span& span) {
    const bool aligned = std::has_single_bit(span.pages) && page % span.pages == 0;
    return (aligned ? std::uintptr_t{span.pages} : 1) * kPageBytes;
}

/// Bytes allocated in a region, headers included. Its fields must be true (store_hot).
inline std::uint64_t allocated_bytes(const HeapCore& heap, const Region& region) {
    std::uint64_t bytes = region.filled_bytes;
    if (region.current_span != 0) {
        bytes += static_cast<std::uint64_t>(region.cursor - heap.pages.address_of(region.current_span));
    }
    if (region.pinned_span != 0) {
        bytes += static_cast<std::uint64_t>(region.pinned_cursor - heap.pages.address_of(region.pinned_span));
    }
    return bytes;
}

/// Ends bumping: the spans' tops are true, and the next allocation takes a new span.
void retire_cursors(HeapCore& heap, Region& region);
/// As above but the cursors stay: so that spans can be walked.
void write_tops(HeapCore& heap, Region& region);

/// Gives a region that does not have it a movable span with room for `bytes`. False at the limit, with nothing changed.
bool refill(HeapCore& heap, Region& region, std::size_t bytes);
/// Memory for a survivor that is copied into `region` (not current, or stored): null at the limit.
void* bump(HeapCore& heap, Region& region, std::size_t bytes);

/// Where memory or records run out, what is being collected is ended first: a stall. By the heap's mutator, whose hot words may be
/// live. Not inside constructors and destructors: law [quiet]. False when there is no more to free.
bool relieve(HeapCore& heap);

[[noreturn]] void out_of_memory(HeapCore& heap, std::size_t bytes, Header header);

}  // namespace perfloc::detail
