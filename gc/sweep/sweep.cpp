#include "gc/sweep/sweep.hpp"

#include "runtime/bump.hpp"

namespace perfloc::gc {

std::uint64_t marked_bytes(const HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, const Span& span) {
    // A large object is all or nothing.
    if (span.kind != detail::SpanKind::large) {
        return marks.count_words(heap.pages.address_of(page), span.top_bytes) * kWordBytes;
    }
    return large_is_marked(marks, heap.pages, page, span) ? span.top_bytes : 0;
}

void condemn_spans(HeapCore& heap, MarkBitmap& marks, Region& region) {
    detail::write_tops(heap, region);
    for_each_span(heap, region, [&](std::uint32_t page, Span& span) {
        marks.clear(heap.pages.address_of(page), std::size_t{span.pages} * detail::kPageBytes);
        span.live_bytes = 0;
        span.destination = 0;
        span.slides = false;
        span.condemned = true;
    });
}

std::uint64_t count_live(HeapCore& heap, const MarkBitmap& marks, Region& region, std::uint32_t destination) {
    std::uint64_t total = 0;
    for_each_span(heap, region, [&](std::uint32_t page, Span& span) {
        if (!span.condemned) return;  // handed out since: by destructors
        span.live_bytes = marked_bytes(heap, marks, page, span);
        total += span.live_bytes;
        if (span.live_bytes != 0 && span.destination == 0) span.destination = destination;
    });
    return total;
}

}  // namespace perfloc::gc
