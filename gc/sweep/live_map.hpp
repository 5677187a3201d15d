#pragma once

#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

namespace perfloc::gc {

using detail::HeapCore;

/// Something in a span that was marked, and stays, is dead.
inline bool keeps_live_map(const Span& span) {
    return span.kind != detail::SpanKind::large && span.live_bytes < span.top_bytes;
}

/// After marking, of a span that stays: where something in it is dead, its marks become its part of the live map. They are
/// copied, so that the next marking may begin while the map is still asked. At most 4 KiB.
inline void keep_live_map(HeapCore& heap, const MarkBitmap& marks, std::uint32_t page, Span& span) {
    span.live_map = keeps_live_map(span);
    if (!span.live_map) return;
    MarkBitmap live(heap.memory, detail::Area::live);
    live.copy(marks, heap.pages.address_of(page), std::size_t{span.pages} * detail::kPageBytes);
}

/// `address`, in the span, is a word of an object that may be alive: law [stale].
inline bool live_word(HeapCore& heap, const Span& span, const void* address) {
    return !span.live_map || marked_word(MarkBitmap(heap.memory, detail::Area::live), heap.pages, address);
}

/// What the span counts for in Region::filled_bytes: what was alive in it when it was last settled, or all that was made in
/// it. O(words in its live map) / 64.
inline std::uint64_t counted_bytes(HeapCore& heap, std::uint32_t page, const Span& span) {
    if (!span.live_map) return span.top_bytes;
    const MarkBitmap live(heap.memory, detail::Area::live);
    return live.count_words(heap.pages.address_of(page), std::size_t{span.pages} * detail::kPageBytes) * kWordBytes;
}

}  // namespace perfloc::gc
