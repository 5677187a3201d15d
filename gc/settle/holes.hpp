#pragma once

#include "gc/sweep/sweep.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

/// Whole pages in which nothing lives, of a span that stays where it is: they become spans of their own, which go the way of all
/// that nothing lives in. What is left keeps the span's generation, so that slots recorded in it are found alive as before, and
/// a page that is handed out again has another (law [stale]). Smaller holes, as lines (Blackburn and McKinley, "Immix", 2008),
/// would need to be told whose field a recorded slot is now.
namespace perfloc::gc {

/// Of fewer pages in a row, what is gained is not worth a span.
inline constexpr std::uint32_t kLeastHolePages = 2;

/// After marking: a bit for each page that is to be cut out of the span. None of pinned ones, whose count of pins is for all of
/// it, and of large objects. O(its marks), half a microsecond.
std::uint64_t hole_pages(const HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, const Span& span);

/// The description of the part of a span that begins with `page + at`, before that is known to be a span. Writing it for the first
/// time may take a page fault.
inline Span& part_of(HeapCore& heap, std::uint32_t page, std::uint32_t at) { return heap.pages.span(page + at); }

/// The part is one of the whole. Its `cycle` relaxed, as where spans are handed out: a collector beside the program asks any span that a
/// reference leads to whether it is in its set.
inline void describe_as(Span& part, const Span& whole) {
    detail::store_relaxed(part.cycle, whole.cycle);
    part.generation = whole.generation;
    part.pins = whole.pins;
    part.destination = whole.destination;
    part.kind = whole.kind;
    part.live_map = whole.live_map;
    part.slides = whole.slides;
    part.bumped = whole.bumped;
    part.condemned = whole.condemned;
    part.settled = whole.settled;
    part.held = whole.held;
    part.candidate = whole.candidate;
    part.stayed = whole.stayed;
    part.holes = false;
}

/// Cuts a span, which is in no list and in which something lives, into what lives and holes: calls live(page) and hole(page) for
/// each new span, in order. Calls live(page) only where there is no hole. At most 64 parts, some tens of nanoseconds each.
template <class Live, class Hole>
void cut_holes(HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, Live&& live, Hole&& hole) {
    const Span whole = heap.pages.span(page);
    const std::uint64_t holes = hole_pages(heap, marks, page, whole);
    if (holes == 0) return live(page);
    if (whole.pages == detail::kPagesPerBlock) heap.pool.open_block(page);
    for (std::uint32_t at = 0; at < whole.pages;) {
        const bool is_hole = (holes >> at & 1) != 0;
        const std::uint64_t others = is_hole ? ~(holes >> at) : holes >> at;
        const auto rest = static_cast<std::uint32_t>(std::countr_zero(others));
        Span& part = part_of(heap, page, at);
        if (at != 0) describe_as(part, whole);
        part.pages = std::min(rest, whole.pages - at);
        const std::uint64_t offset = std::uint64_t{at} * detail::kPageBytes;
        part.top_bytes = std::min(whole.top_bytes - std::min(whole.top_bytes, offset),
                                  std::uint64_t{part.pages} * detail::kPageBytes);
        part.live_bytes = is_hole ? 0 : marked_bytes(heap, marks, page + at, part);
        if (is_hole) heap.collection.counts.hole_pages += part.pages;
        if (at != 0) heap.pages.stamp_span(page + at, part.pages);
        const std::uint32_t first = page + at;
        at += part.pages;
        is_hole ? hole(first) : live(first);
    }
}

}  // namespace perfloc::gc
