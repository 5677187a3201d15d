#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "runtime/span.hpp"
#include "runtime/type_table.hpp"

#include <algorithm>
#include <bit>

namespace perfloc::gc {

using detail::Header;
using detail::kHeaderBytes;
using detail::PageTable;
using detail::Span;
using detail::TypeShape;

/// The header that an object was made with: where it was copied elsewhere, that of its copy.
inline Header own_header(Header header) {
    if ((header & detail::kForwarded) == 0) return header;
    return *reinterpret_cast<const Header*>(reinterpret_cast<const char*>(header & ~Header{7}) - kHeaderBytes);
}

/// Calls f(object, header, bytes) for each marked object that begins in [start, end), in the order of addresses. `start` is the
/// start of a span, or what lies before it has no marks. The header is read before f is called, and f may move the object to
/// a lower address.
template <class F>
PERFLOC_INLINE void for_each_marked(const MarkBitmap& marks, char* start, const char* end, F&& f) {
    const TypeShape* const shapes = detail::type_shapes();
    const std::uint64_t* const bits = marks.word_for(start);
    const std::size_t words = static_cast<std::size_t>(end - start) / kWordBytes;
    std::size_t at = 0;
    while (at < words) {
        const std::uint64_t rest = bits[at / 64] >> (at % 64);
        if (rest == 0) {
            at = (at / 64 + 1) * 64;
            continue;
        }
        at += static_cast<std::size_t>(std::countr_zero(rest));
        if (at >= words) return;
        char* const cell = start + at * kWordBytes;
        const Header header = *reinterpret_cast<const Header*>(cell);
        const std::size_t bytes = detail::object_bytes(own_header(header), shapes);
        at += bytes / kWordBytes;
        f(static_cast<void*>(cell + kHeaderBytes), header, bytes);
    }
}

/// The same for each marked object of a span.
template <class F>
PERFLOC_INLINE void for_each_marked(const MarkBitmap& marks, const PageTable& pages, std::uint32_t page,
                                    const Span& span, F&& f) {
    char* const start = pages.address_of(page);
    // A large object begins on the first page, and nothing is told of the marks of others.
    const std::uint64_t top = span.kind == detail::SpanKind::large
                                  ? std::min<std::uint64_t>(span.top_bytes, detail::kPageBytes)
                                  : span.top_bytes;
    for_each_marked(marks, start, start + top, f);
}

/// Calls f(object, header, bytes) for whatever was allocated in a span: objects, alive or dead, and fillers (objects under
/// construction, and those whose constructor threw: they have no references, and may be referred to).
template <class F>
PERFLOC_INLINE void for_each_object(const PageTable& pages, std::uint32_t page, const Span& span, F&& f) {
    const TypeShape* const shapes = detail::type_shapes();
    char* cell = pages.address_of(page);
    char* const end = cell + span.top_bytes;
    while (cell < end) {
        const Header header = *reinterpret_cast<const Header*>(cell);
        const std::size_t bytes = detail::object_bytes(own_header(header), shapes);
        f(static_cast<void*>(cell + kHeaderBytes), header, bytes);
        if (bytes == 0) return;  // no object has such a header: the verifier says so, and must not go round in circles
        cell += bytes;
    }
}

/// Calls f for each object of the span that may be alive: law [stale]. `live` is the heap's live map.
template <class F>
inline void for_each_live(const MarkBitmap& live, const PageTable& pages, std::uint32_t page, const Span& span, F&& f) {
    if (span.live_map) {
        for_each_marked(live, pages, page, span, f);
    } else {
        for_each_object(pages, page, span, f);
    }
}

/// Of a span of one large object, whatever its size: of that only the header is marked. Before it is a filler, if it is aligned.
inline bool large_is_marked(const MarkBitmap& marks, const PageTable& pages, std::uint32_t page, const Span& span) {
    bool marked = false;
    for_each_object(pages, page, span, [&](void* object, Header, std::size_t) {
        marked = marked || marks.test(static_cast<char*>(object) - kHeaderBytes);
    });
    return marked;
}

/// `address`, a word inside a span with valid marks, belongs to a marked object.
inline bool marked_word(const MarkBitmap& marks, const PageTable& pages, const void* address) {
    const std::uint32_t page = pages.span_page(address);
    const Span& span = pages.span(page);
    return span.kind == detail::SpanKind::large ? large_is_marked(marks, pages, page, span) : marks.test(address);
}

}  // namespace perfloc::gc
