#include "support/catch.hpp"

#include "gc/mark/mark_bitmap.hpp"
#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using perfloc::gc::MarkBitmap;

namespace {

struct Bench {
    HeapCore heap{Options{.reserve = 16_MiB, .limit = 8_MiB}};
    MarkBitmap marks{heap.memory};

    char* word(std::size_t i) { return heap.memory.base() + i * kWordBytes; }
    std::size_t marked(std::size_t from, std::size_t to) {
        std::size_t n = 0;
        for (std::size_t i = from; i < to; ++i) n += marks.test(word(i));
        return n;
    }
};

}  // namespace

TEST_CASE("a mark covers every word of its object, across the borders of the bitmap's words") {
    Bench bench;
    for (const std::size_t first : {0u, 1u, 62u, 63u, 64u, 127u, 1000u}) {
        for (const std::size_t words : {2u, 3u, 63u, 64u, 65u, 128u, 129u, 200u, 4096u}) {
            INFO("words " << first << " to " << first + words);
            REQUIRE(bench.marks.mark(bench.word(first), words * kWordBytes));
            CHECK(bench.marked(0, first + words + 200) == words);
            CHECK(bench.marks.test(bench.word(first)));
            CHECK(bench.marks.test(bench.word(first + words - 1)));
            CHECK_FALSE(bench.marks.test(bench.word(first + words)));
            CHECK_FALSE(bench.marks.mark(bench.word(first), words * kWordBytes));
            bench.marks.clear(bench.word(0), 64_KiB);
            CHECK(bench.marked(0, 64_KiB / kWordBytes) == 0);
        }
    }
}

TEST_CASE("neighbours are marked apart") {
    Bench bench;
    CHECK(bench.marks.mark(bench.word(10), 3 * kWordBytes));
    CHECK(bench.marks.mark(bench.word(13), 60 * kWordBytes));
    CHECK(bench.marks.mark(bench.word(7), 3 * kWordBytes));
    CHECK_FALSE(bench.marks.mark(bench.word(13), 60 * kWordBytes));
    CHECK(bench.marked(0, 200) == 66);
}

TEST_CASE("of a large object only the header is marked") {
    Bench bench;
    CHECK(bench.marks.mark(bench.word(64), kLargeBytes + kWordBytes));
    CHECK(bench.marked(0, 10000) == 1);
    CHECK_FALSE(bench.marks.mark(bench.word(64), kLargeBytes + kWordBytes));
    CHECK(bench.marks.mark(bench.word(20000), kLargeBytes));
    CHECK(bench.marked(20000, 30000) == kLargeBytes / kWordBytes);
}

TEST_CASE("marked words are counted by population") {
    Bench bench;
    std::size_t words = 0;
    for (std::size_t i = 0; i < 30'000; i += 37) {
        bench.marks.mark(bench.word(i), (2 + i % 30) * kWordBytes);
        words += 2 + i % 30;
    }
    CHECK(bench.marks.count_words(bench.word(0), 512_KiB) == words);
    CHECK(bench.marks.count_words(bench.word(0), 512) == bench.marked(0, 64));
    CHECK(bench.marks.count_words(bench.word(0), 513) == bench.marked(0, 128));
    CHECK(bench.marks.count_words(bench.word(0), 0) == 0);
}

TEST_CASE("clearing leaves the marks beside the range") {
    Bench bench;
    bench.marks.mark(bench.word(0), 512);
    bench.marks.mark(bench.word(64), 512);
    bench.marks.mark(bench.word(128), 512);
    bench.marks.clear(bench.word(64), 512);
    CHECK(bench.marked(0, 64) == 64);
    CHECK(bench.marked(64, 128) == 0);
    CHECK(bench.marked(128, 192) == 64);
}

TEST_CASE("marked objects of a span are visited in the order of their addresses, and the dead are passed over") {
    Bench bench;
    Region& region = *bench.heap.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    const std::uint32_t page = bench.heap.pool.take(region, 4, SpanKind::movable);
    Span& span = bench.heap.pages.span(page);
    char* const start = bench.heap.pages.address_of(page);
    std::vector<void*> expected;
    std::size_t at = 0;
    for (std::size_t i = 0; at + 200 * kWordBytes <= 4 * kPageBytes; ++i) {
        const std::size_t words = 2 + i * 7 % 150;
        *reinterpret_cast<Header*>(start + at) = make_header(i % 5 == 4 ? kFillerType : kFillerType + 1, words);
        if (i % 3 == 0) {
            bench.marks.mark(start + at, words * kWordBytes);
            expected.push_back(start + at + kHeaderBytes);
        }
        at += words * kWordBytes;
    }
    span.top_bytes = at;
    std::vector<void*> visited;
    gc::for_each_marked(bench.marks, bench.heap.pages, page, span, [&](void* object, Header header, std::size_t bytes) {
        CHECK(bytes == header_count(header) * kWordBytes);
        visited.push_back(object);
    });
    CHECK(visited == expected);
    CHECK(gc::marked_word(bench.marks, bench.heap.pages, expected[1]));
    CHECK_FALSE(gc::marked_word(bench.marks, bench.heap.pages, start + 2 * kWordBytes));
    span.live_map = true;
    std::size_t alive = 0;
    gc::for_each_live(bench.marks, bench.heap.pages, page, span, [&](void*, Header, std::size_t) { ++alive; });
    CHECK(alive == expected.size());
    span.live_map = false;
    std::size_t all = 0;
    gc::for_each_live(bench.marks, bench.heap.pages, page, span, [&](void*, Header, std::size_t) { ++all; });
    CHECK(all > alive);
}

// Their marks are cleared on the first page only: what was marked behind it was there before.
TEST_CASE("marks behind the first page of a large object are not believed") {
    Bench bench;
    Region& region = *bench.heap.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    const std::size_t bytes = 40 * kPageBytes;
    const std::uint32_t page = bench.heap.pool.take_large(region, bytes);
    Span& span = bench.heap.pages.span(page);
    char* const start = bench.heap.pages.address_of(page);
    *reinterpret_cast<Header*>(start) = make_header(kFillerType, bytes / kWordBytes);
    span.top_bytes = bytes;
    bench.marks.mark(start + 2 * kPageBytes, 128);
    std::size_t visited = 0;
    const auto visit = [&](void* object, Header, std::size_t size) {
        CHECK(object == start + kHeaderBytes);
        CHECK(size == bytes);
        ++visited;
    };
    gc::for_each_marked(bench.marks, bench.heap.pages, page, span, visit);
    CHECK(visited == 0);
    CHECK_FALSE(gc::marked_word(bench.marks, bench.heap.pages, start + 2 * kPageBytes));
    bench.marks.mark(start, bytes);
    gc::for_each_marked(bench.marks, bench.heap.pages, page, span, visit);
    CHECK(visited == 1);
    CHECK(gc::marked_word(bench.marks, bench.heap.pages, start + 2 * kPageBytes));
}
