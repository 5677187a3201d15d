#include "support/catch.hpp"

#include "runtime/heap_core.hpp"
#include "runtime/span_pool.hpp"

#include <perfloc/units.hpp>

#include <map>
#include <set>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

/// A heap without a collector: its pool is driven by hand.
struct Bench {
    explicit Bench(std::size_t reserve = 32_MiB, std::size_t limit = 16_MiB)
        : heap({.reserve = reserve, .limit = limit, .collector = Collector::none}),
          pool(heap.memory, heap.pages, heap.regions, {.hard = limit, .quarantine = 0}) {}

    Region& region() { return *heap.regions.create(RegionTable::kOwnLineage + 1, heap.root); }
    char* at(std::uint32_t page) { return heap.pages.address_of(page); }

    HeapCore heap;
    SpanPool pool;
};

}  // namespace

TEST_CASE("a span is aligned to its size, stamped with its region and in the region's list") {
    Bench bench;
    Region& region = bench.region();
    for (const std::uint32_t pages : {1u, 4u, 16u, 64u, 2u, 32u, 8u}) {
        const std::uint32_t page = bench.pool.take(region, pages, SpanKind::movable);
        REQUIRE(page != 0);
        CHECK(page % pages == 0);
        for (std::uint32_t i = 0; i < pages; ++i) {
            REQUIRE(bench.heap.pages.region_at(bench.at(page + i)) == region.index);
            REQUIRE(bench.heap.pages.span_page(bench.at(page + i)) == page);
        }
        CHECK(bench.heap.pages.span(page).pages == pages);
    }
    CHECK(region.blocks.count == 1);
    CHECK(region.runs.count == 6);
    CHECK(region.pages == 127);
    CHECK(bench.pool.used_bytes() == 127 * kPageBytes);
}

TEST_CASE("spans that are in use never overlap") {
    Bench bench;
    std::map<std::uint32_t, std::uint32_t> used;  // first page -> pages
    std::vector<Region*> open;
    std::uint64_t random = 88172645463325252u;
    const auto next = [&random](std::uint64_t below) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        return random % below;
    };
    for (int step = 0; step < 20000; ++step) {
        if (open.empty() || next(3) == 0) open.push_back(&bench.region());
        Region& region = *open[next(open.size())];
        const bool large = next(8) == 0;
        const std::uint32_t page = large ? bench.pool.take_large(region, 33_KiB + next(1_MiB))
                                         : bench.pool.take(region, 1u << next(7), SpanKind::movable);
        if (page != 0) {
            const std::uint32_t pages = bench.heap.pages.span(page).pages;
            const auto above = used.lower_bound(page);
            REQUIRE((above == used.end() || page + pages <= above->first));
            REQUIRE((above == used.begin() || std::prev(above)->first + std::prev(above)->second <= page));
            used[page] = pages;
        }
        if (page == 0 || next(6) == 0) {
            const std::size_t which = next(open.size());
            for (SpanList* list : {&open[which]->blocks, &open[which]->runs, &open[which]->large}) {
                bench.heap.pages.for_each(*list, [&](std::uint32_t p, const Span&) { used.erase(p); });
            }
            bench.pool.release(*open[which]);
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
        }
        REQUIRE(bench.pool.committed_bytes() <= 16_MiB);
    }
    std::size_t pages = 0;
    for (const auto& [page, n] : used) pages += n;
    CHECK(bench.pool.used_bytes() == pages * kPageBytes);
}

TEST_CASE("the span that was released last is handed out first") {
    Bench bench;
    Region& a = bench.region();
    const std::uint32_t first = bench.pool.take(a, 64, SpanKind::movable);
    Region& b = bench.region();
    const std::uint32_t second = bench.pool.take(b, 64, SpanKind::movable);
    bench.pool.release(a);
    bench.pool.release(b);
    Region& c = bench.region();
    CHECK(bench.pool.take(c, 64, SpanKind::movable) == second);
    CHECK(bench.pool.take(c, 64, SpanKind::movable) == first);
}

TEST_CASE("a span has a new generation each time it is handed out, and keeps it in the pool") {
    Bench bench;
    Region& a = bench.region();
    const std::uint32_t page = bench.pool.take(a, 64, SpanKind::movable);
    const std::uint64_t generation = bench.heap.pages.span(page).generation;
    bench.pool.release(a);
    CHECK(bench.heap.pages.span(page).generation == generation);  // law [stale], protocol P20
    Region& b = bench.region();
    REQUIRE(bench.pool.take(b, 64, SpanKind::movable) == page);
    CHECK(bench.heap.pages.span(page).generation > generation);
}

TEST_CASE("a region's index is given out again only when none of its spans is left in the pool") {
    Bench bench;
    Region& a = bench.region();
    const std::uint32_t index = a.index;
    bench.pool.take(a, 64, SpanKind::movable);
    bench.pool.take(a, 64, SpanKind::movable);
    bench.pool.release(a);
    Region& b = bench.region();
    CHECK(b.index != index);
    bench.pool.take(b, 64, SpanKind::movable);
    CHECK(bench.region().index != index);
    bench.pool.take(b, 64, SpanKind::movable);
    CHECK(bench.region().index == index);
}

TEST_CASE("at the limit nothing is handed out, and a release makes room again") {
    Bench bench(32_MiB, 2_MiB);
    std::vector<Region*> regions;
    std::size_t taken = 0;
    for (;;) {
        Region& region = bench.region();
        regions.push_back(&region);
        if (bench.pool.take(region, 64, SpanKind::movable) == 0) break;
        ++taken;
    }
    CHECK(taken == 2_MiB / kBlockBytes);
    CHECK(bench.pool.committed_bytes() == 2_MiB);
    CHECK(bench.pool.take_large(*regions.back(), 100_KiB) == 0);
    bench.pool.release(*regions.front());
    CHECK(bench.pool.take_large(*regions.back(), 100_KiB) != 0);
    CHECK(bench.pool.take(*regions.back(), 16, SpanKind::movable) != 0);
}

TEST_CASE("a large object's span ends on the page after it, and the rest of its last block serves smaller spans") {
    Bench bench;
    Region& region = bench.region();
    const std::uint32_t page = bench.pool.take_large(region, kBlockBytes + 1);
    REQUIRE(page != 0);
    CHECK(page % kPagesPerBlock == 0);
    CHECK(bench.heap.pages.span(page).pages == kPagesPerBlock + 1);
    CHECK(bench.heap.pages.span(page).kind == SpanKind::large);
    const std::size_t committed = bench.pool.committed_bytes();
    const std::uint32_t small = bench.pool.take(region, 32, SpanKind::movable);
    CHECK(small / kPagesPerBlock == page / kPagesPerBlock + 1);
    CHECK(bench.pool.committed_bytes() == committed);
    CHECK(region.large.count == 1);
    bench.pool.release(region);
    bench.pool.consolidate();
    CHECK(bench.pool.used_bytes() == 0);
}

TEST_CASE("neighbouring blocks that were freed apart serve one large object") {
    Bench bench(32_MiB, 4_MiB);
    std::vector<Region*> regions;
    for (int i = 0; i < 16; ++i) {
        regions.push_back(&bench.region());
        REQUIRE(bench.pool.take(*regions.back(), 64, SpanKind::movable) != 0);
    }
    Region& large = bench.region();
    CHECK(bench.pool.take_large(large, 2_MiB) == 0);
    for (int i = 4; i < 12; ++i) bench.pool.release(*regions[static_cast<std::size_t>(i)]);
    CHECK(bench.pool.take_large(large, 2_MiB) != 0);
}

TEST_CASE("to make room, free blocks go back to the system") {
    Bench bench(64_MiB, 4_MiB);
    std::vector<Region*> regions;
    for (int i = 0; i < 16; ++i) {
        regions.push_back(&bench.region());
        REQUIRE(bench.pool.take(*regions.back(), 64, SpanKind::movable) != 0);
    }
    for (std::size_t i = 0; i < 16; i += 2) bench.pool.release(*regions[i]);  // no two neighbours
    Region& large = bench.region();
    const std::uint32_t page = bench.pool.take_large(large, 1_MiB);
    CHECK(page != 0);
    CHECK(bench.pool.give_backs() >= 4);
    CHECK(bench.pool.committed_bytes() <= 4_MiB);
    CHECK(bench.pool.peak_committed_bytes() == 4_MiB);
    // What was given back is committed again only as far as the limit allows.
    std::size_t more = 0;
    while (bench.pool.take(large, 64, SpanKind::movable) != 0) ++more;
    CHECK(more == 4);
    CHECK(bench.pool.committed_bytes() == 4_MiB);
}

TEST_CASE("more than the limit allows cannot be made room for") {
    Bench bench(64_MiB, 4_MiB);
    CHECK_FALSE(bench.pool.make_room(5_MiB));
    CHECK(bench.pool.make_room(4_MiB));
}

TEST_CASE("room is what the frontier and the pool have together") {
    Bench bench(64_MiB, 4_MiB);
    CHECK(bench.pool.has_room(2_MiB));
    CHECK_FALSE(bench.pool.has_room(4_MiB));  // two blocks are kept for what cutting loses
    Region& region = bench.region();
    for (int i = 0; i < 14; ++i) bench.pool.take(region, 64, SpanKind::movable);
    CHECK_FALSE(bench.pool.has_room(1_MiB));
    bench.pool.release(region);
    CHECK(bench.pool.has_room(2_MiB));
}

TEST_CASE("one span of a region can be given back alone") {
    Bench bench;
    Region& region = bench.region();
    const std::uint32_t a = bench.pool.take(region, 4, SpanKind::movable);
    const std::uint32_t b = bench.pool.take(region, 4, SpanKind::movable);
    bench.heap.pages.remove(region.runs, a);
    bench.pool.release_span(region, a);
    CHECK(region.pages == 4);
    CHECK(region.runs.count == 1);
    CHECK(region.runs.head == b);
    CHECK(bench.heap.pages.region_at(bench.at(a)) == kNoRegion);
    CHECK(bench.pool.used_bytes() == 4 * kPageBytes);
}

TEST_CASE("quarantined spans are not handed out again before as much was released after them") {
    Bench bench;
    SpanPool held(bench.heap.memory, bench.heap.pages, bench.heap.regions, {.hard = 16_MiB, .quarantine = 1_MiB});
    std::set<std::uint32_t> released;
    for (int i = 0; i < 4; ++i) {
        Region& region = bench.region();
        const std::uint32_t page = held.take(region, 64, SpanKind::movable);
        CHECK(released.count(page) == 0);
        released.insert(page);
        held.release(region);
    }
    Region& fifth = bench.region();
    CHECK(released.count(held.take(fifth, 64, SpanKind::movable)) == 0);
    held.release(fifth);  // now the first one leaves the quarantine
    Region& sixth = bench.region();
    CHECK(released.count(held.take(sixth, 64, SpanKind::movable)) == 1);
}

TEST_CASE("at the limit the quarantine is given up before an allocation is refused") {
    Bench bench;
    SpanPool held(bench.heap.memory, bench.heap.pages, bench.heap.regions, {.hard = 1_MiB, .quarantine = 1_MiB});
    for (int i = 0; i < 20; ++i) {
        Region& region = bench.region();
        REQUIRE(held.take(region, 64, SpanKind::movable) != 0);
        held.release(region);
    }
}

TEST_CASE("before a refusal every block that has free pages is looked at") {
    Bench bench;
    SpanPool held(bench.heap.memory, bench.heap.pages, bench.heap.regions, {.hard = 8_MiB});
    Region& region = bench.region();
    std::vector<std::uint32_t> wide, narrow;
    for (;;) {  // block by block: 3 x 16 + 15 + 1 pages
        const std::uint32_t page = held.take_large(region, 16 * kPageBytes);
        if (page == 0) break;
        wide.push_back(page);
        for (const std::size_t pages : {16u, 16u, 15u, 1u}) {
            narrow.push_back(held.take_large(region, pages * kPageBytes));
            REQUIRE(narrow.back() != 0);
        }
    }
    REQUIRE(wide.size() > 20);
    const auto give_back = [&](std::uint32_t page) {
        bench.heap.pages.remove(region.of(bench.heap.pages.span(page)), page);
        held.release_span(region, page);
    };
    give_back(wide.front());
    for (std::size_t i = 7; i < narrow.size(); i += 4) give_back(narrow[i]);  // a page in each of the other blocks
    CHECK(held.take_large(region, 16 * kPageBytes) == wide.front());
}

TEST_CASE("a run that starts anywhere is found, and of those that fit the block with the least") {
    Bench bench;
    SpanPool held(bench.heap.memory, bench.heap.pages, bench.heap.regions, {.hard = 2_MiB});
    Region& region = bench.region();
    std::vector<std::uint32_t> blocks;
    for (std::uint32_t page; (page = held.take(region, kPagesPerBlock, SpanKind::pinned)) != 0;) blocks.push_back(page);
    REQUIRE(blocks.size() == 8);
    const auto cut_out = [&](std::uint32_t first, std::uint32_t count) {
        Span& hole = bench.heap.pages.span(first);
        hole.pages = count;
        bench.heap.pages.stamp_span(first, count);
        held.release_span(region, first);
    };
    for (int i = 0; i < 3; ++i) {
        bench.heap.pages.remove(region.blocks, blocks[static_cast<std::size_t>(i)]);
        held.open_block(blocks[static_cast<std::size_t>(i)]);
    }
    cut_out(blocks[0] + 9, 13);  // no 16 that are aligned, and of 8 those from 16 on only with what follows 21
    cut_out(blocks[1] + 32, 32);
    cut_out(blocks[2] + 5, 2);
    CHECK(held.take_large(region, 14 * kPageBytes) == blocks[1] + 32);
    CHECK(held.take_large(region, 13 * kPageBytes) == blocks[1] + 46);
    CHECK(held.take_large(region, 13 * kPageBytes) == blocks[0] + 9);  // at the limit, though it starts anywhere
    CHECK(held.take_large(region, 13 * kPageBytes) == 0);
    CHECK(held.take(region, 2, SpanKind::movable) == blocks[1] + 60);
    CHECK(held.take(region, 2, SpanKind::movable) == blocks[1] + 62);
    CHECK(held.take(region, 2, SpanKind::movable) == 0);
    CHECK(held.take_large(region, 2 * kPageBytes) == blocks[2] + 5);
    CHECK(held.take(region, 1, SpanKind::movable) == blocks[1] + 59);
    CHECK(held.take(region, 1, SpanKind::movable) == 0);
}

TEST_CASE("a list of spans keeps its order when it is spliced and when one is removed") {
    Bench bench;
    PageTable& pages = bench.heap.pages;
    SpanList a, b, empty;
    for (const std::uint32_t page : {10u, 11u, 12u}) pages.append(a, page);
    for (const std::uint32_t page : {20u, 21u}) pages.append(b, page);
    pages.splice(a, b);
    pages.splice(a, empty);
    pages.splice(empty, a);
    CHECK(a.empty());
    CHECK(b.empty());
    pages.remove(empty, 11);
    std::vector<std::uint32_t> order;
    pages.for_each(empty, [&](std::uint32_t page, const Span&) { order.push_back(page); });
    CHECK(order == std::vector<std::uint32_t>{10, 12, 20, 21});
    CHECK(empty.count == 4);
    while (!empty.empty()) pages.pop(empty);
    CHECK(empty.tail == 0);
    CHECK(empty.count == 0);
}

TEST_CASE("what is cut out of a span serves what is large already, and whole blocks come back") {
    Bench bench;
    PageTable& pages = bench.heap.pages;
    Region& region = bench.region();
    const auto cut_out = [&](std::uint32_t first, std::uint32_t count) {
        Span& hole = pages.span(first);
        hole.pages = count;
        pages.stamp_span(first, count);
        bench.pool.release_span(region, first);
    };
    std::vector<std::uint32_t> blocks;
    for (int i = 0; i < 2; ++i) {
        const std::uint32_t page = bench.pool.take(region, kPagesPerBlock, SpanKind::pinned);
        pages.pop(region.blocks);
        bench.pool.open_block(page);
        cut_out(page + 4, 12);
        CHECK(bench.pool.worth_filling_holes() == (i == 1));  // from a block's worth on
        cut_out(page + 20, 43);
        blocks.push_back(page);
    }
    CHECK(bench.pool.used_bytes() == 18 * kPageBytes);
    CHECK(bench.pool.worth_filling_holes());
    std::map<std::uint32_t, std::uint32_t> found;
    for (const std::uint32_t expected : {43u, 43u, 12u, 12u}) {
        const std::uint32_t page = bench.pool.take_hole(region, expected == 12 ? 9 : 13, SpanKind::movable);
        REQUIRE(page != 0);
        CHECK(pages.span(page).pages == expected);
        CHECK(pages.span_page(bench.at(page + expected - 1)) == page);
        CHECK(pages.region_at(bench.at(page + expected - 1)) == region.index);
        found[page] = expected;
    }
    CHECK(found.size() == 4);
    CHECK(bench.pool.take_hole(region, 1, SpanKind::movable) == 0);
    CHECK(bench.pool.used_bytes() == 128 * kPageBytes);
    for (const auto& [page, count] : found) bench.pool.release_span(region, page);
    region.runs = {};
    for (const std::uint32_t block : blocks) {
        for (const auto& [at, count] : std::map<std::uint32_t, std::uint32_t>{{0, 4}, {16, 4}, {63, 1}}) {
            cut_out(block + at, count);
        }
    }
    CHECK(bench.pool.used_bytes() == 0);
    CHECK(bench.pool.idle_blocks() == 2);
    CHECK_FALSE(bench.pool.worth_filling_holes());
}

TEST_CASE("to take a block, a bounded part of what was released in runs is looked at") {
    Bench bench(256_MiB, 128_MiB);
    PageTable& pages = bench.heap.pages;
    Region& lives = bench.region();
    Region& ended = bench.region();
    constexpr std::uint32_t kBlocks = 100, kHoles = 32;
    for (std::uint32_t i = 0; i < kBlocks; ++i) {  // every second page lives
        const std::uint32_t page = bench.pool.take(ended, kPagesPerBlock, SpanKind::pinned);
        pages.pop(ended.blocks);
        bench.pool.open_block(page);
        for (std::uint32_t at = 0; at < kPagesPerBlock; ++at) {
            Region& region = at % 2 == 0 ? lives : ended;
            pages.span(page + at).pages = 1;
            pages.stamp_span(page + at, 1);
            pages.append(region.runs, page + at);
        }
        ended.pages -= kHoles;
        lives.pages += kHoles;
    }
    const auto returned = [&] {
        std::size_t n = 0;
        for (std::size_t page = 64; page < (kBlocks + 1) * kPagesPerBlock; ++page) {
            n += pages.region_at(bench.at(static_cast<std::uint32_t>(page))) == kNoRegion;
        }
        return n;
    };
    bench.pool.release(ended);
    REQUIRE(returned() == 0);
    Region& next = bench.region();
    for (std::size_t taken = 1; taken <= 3; ++taken) {
        REQUIRE(bench.pool.take(next, kPagesPerBlock, SpanKind::movable) != 0);
        CHECK(returned() == taken * 32);
    }
    CHECK(bench.pool.take_hole(next, 1, SpanKind::movable) == 0);  // they are of one page each
    while (bench.pool.take(next, kPagesPerBlock, SpanKind::movable) != 0) {
    }
    CHECK(returned() == std::size_t{kBlocks} * kHoles);  // all of it before a refusal
}

TEST_CASE("small spans that were released are used again before a block that is free") {
    Bench bench;
    bench.pool.prefault(8 * kBlockBytes);
    REQUIRE(bench.pool.idle_blocks() == 8);
    for (int i = 0; i < 5000; ++i) {
        Region& region = bench.region();
        REQUIRE(bench.pool.take(region, 1, SpanKind::movable) != 0);
        bench.pool.release(region);
    }
    CHECK(bench.pool.idle_blocks() == 7);
}
