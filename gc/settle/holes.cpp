#include "gc/settle/holes.hpp"

#include "runtime/page_runs.hpp"

namespace perfloc::gc {

std::uint64_t hole_pages(const HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, const Span& span) {
    if (span.kind == detail::SpanKind::large || detail::load_relaxed(span.pins) != 0) return 0;
    const std::uint64_t bytes = std::uint64_t{span.pages} * detail::kPageBytes;
    if (bytes - span.live_bytes < std::uint64_t{kLeastHolePages} * detail::kPageBytes) return 0;
    constexpr std::size_t kMarksAPage = detail::kPageBytes / MarkBitmap::kBytesPerMark;
    const std::uint64_t* bits = marks.word_for(heap.pages.address_of(page));
    std::uint64_t empty = 0;
    for (std::uint32_t i = 0; i < span.pages; ++i, bits += kMarksAPage) {
        std::uint64_t any = 0;
        for (std::size_t word = 0; word < kMarksAPage; ++word) any |= bits[word];
        if (any == 0) empty |= std::uint64_t{1} << i;
    }
    // Every page of a run that is long enough.
    std::uint64_t holes = 0;
    const std::uint64_t starts = detail::run_starts(empty, kLeastHolePages);
    for (std::uint32_t i = 0; i < kLeastHolePages; ++i) holes |= starts << i;
    return holes;
}

}  // namespace perfloc::gc
