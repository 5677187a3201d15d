#pragma once

#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// Calls f(page, span) for each span of a region that a collection beside the program looks at.
template <class F>
void for_each_condemned(HeapCore& heap, const Region& region, F&& f) {
    heap.pages.for_each(region.condemned, f);
    heap.pages.for_each(region.sparse, f);
}

/// Calls f(page, span) for each span of a region.
template <class F>
void for_each_span(HeapCore& heap, const Region& region, F&& f) {
    heap.pages.for_each(static_cast<const detail::SpanLists&>(region), f);
    for_each_condemned(heap, region, f);
}

/// Before marking: the spans' tops are true, their marks clear, and they belong to the condemned set.
void condemn_spans(HeapCore& heap, MarkBitmap& marks, Region& region);

/// After marking: of the objects in a span that are marked. A popcount, since all words of an object are.
std::uint64_t marked_bytes(const HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, const detail::Span& span);

/// After marking (a part): live bytes of each span that had none. Where a span has survivors for the first time, they go
/// to `destination`. Returns the bytes found.
std::uint64_t count_live(HeapCore& heap, const MarkBitmap& marks, Region& region, std::uint32_t destination);

}  // namespace perfloc::gc
