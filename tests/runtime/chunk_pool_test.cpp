#include "support/catch.hpp"

#include "runtime/chunk_pool.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <numeric>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

struct Bench {
    HeapCore heap{Options{.reserve = 16_MiB, .limit = 8_MiB}};
    ChunkPool& pool = heap.chunks;
};

using Ints = ChunkList<std::uint64_t>;

Ints numbers(ChunkPool& pool, std::uint64_t from, std::uint64_t to) {
    Ints list;
    for (std::uint64_t i = from; i < to; ++i) list.push(pool, i);
    return list;
}
std::vector<std::uint64_t> contents(const Ints& list) {
    std::vector<std::uint64_t> all;
    list.for_each([&](std::uint64_t value) { all.push_back(value); });
    return all;
}
std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> all(to - from);
    std::iota(all.begin(), all.end(), from);
    return all;
}

}  // namespace

TEST_CASE("a chunk that was given back is taken next") {
    Bench bench;
    void* const a = bench.pool.take();
    void* const b = bench.pool.take();
    CHECK(a != b);
    bench.pool.give(a);
    CHECK(bench.pool.take() == a);
    const std::size_t bytes = bench.pool.bytes();
    bench.pool.give(a);
    bench.pool.give(b);
    CHECK(bench.pool.take() == b);
    CHECK(bench.pool.take() == a);
    CHECK(bench.pool.bytes() == bytes);
}

TEST_CASE("a list keeps order and number across chunk borders") {
    Bench bench;
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, Ints::kPerChunk - 1, Ints::kPerChunk,
                                Ints::kPerChunk + 1, 5 * Ints::kPerChunk + 3}) {
        Ints list = numbers(bench.pool, 0, n);
        CHECK(list.size() == n);
        CHECK(list.empty() == (n == 0));
        CHECK(contents(list) == range(0, n));
        if (n != 0) CHECK(list.back() == n - 1);
        list.clear(bench.pool);
        CHECK(list.empty());
    }
}

TEST_CASE("a cleared list's chunks are used again") {
    Bench bench;
    Ints list = numbers(bench.pool, 0, 1000);
    list.clear(bench.pool);
    const std::size_t bytes = bench.pool.bytes();
    list = numbers(bench.pool, 0, 1000);
    CHECK(bench.pool.bytes() == bytes);
}

TEST_CASE("splicing puts one list behind the other and empties it") {
    Bench bench;
    Ints a = numbers(bench.pool, 0, 200);
    Ints b = numbers(bench.pool, 200, 201);
    Ints none;
    a.splice(none);
    a.splice(b);
    CHECK(b.empty());
    CHECK(contents(b).empty());
    none.splice(a);
    CHECK(a.empty());
    CHECK(contents(none) == range(0, 201));
    none.push(bench.pool, 201);  // goes on behind the last chunk, which is nearly empty
    CHECK(contents(none) == range(0, 202));
    CHECK(none.back() == 201);
}

TEST_CASE("filtering keeps what is wanted, in order and in place") {
    Bench bench;
    const std::uint64_t n = 10 * Ints::kPerChunk + 7;
    Ints list = numbers(bench.pool, 0, n);
    const std::size_t bytes = bench.pool.bytes();
    SECTION("some") {
        list.filter(bench.pool, [](std::uint64_t value) { return value % 3 == 0; });
        std::vector<std::uint64_t> expected;
        for (std::uint64_t i = 0; i < n; i += 3) expected.push_back(i);
        CHECK(contents(list) == expected);
        CHECK(list.size() == expected.size());
    }
    SECTION("all") {
        list.filter(bench.pool, [](std::uint64_t) { return true; });
        CHECK(contents(list) == range(0, n));
    }
    SECTION("none") {
        list.filter(bench.pool, [](std::uint64_t) { return false; });
        CHECK(list.empty());
        CHECK(contents(list).empty());
    }
    SECTION("changed on the way") {
        list.filter(bench.pool, [](std::uint64_t& value) { return value += 1, true; });
        CHECK(contents(list) == range(1, n + 1));
    }
    CHECK(bench.pool.bytes() <= bytes + kChunkBytes);
    list.push(bench.pool, 42);
    CHECK(list.back() == 42);
}

TEST_CASE("a list of partly filled chunks filters like any other") {
    Bench bench;
    Ints list;
    std::vector<std::uint64_t> expected;
    for (std::uint64_t i = 0; i < 20; ++i) {
        Ints part = numbers(bench.pool, i * 1000, i * 1000 + i * 13);
        for (const std::uint64_t value : contents(part)) {
            if (value % 2 == 0) expected.push_back(value);
        }
        list.splice(part);
    }
    list.filter(bench.pool, [](std::uint64_t value) { return value % 2 == 0; });
    CHECK(contents(list) == expected);
    CHECK(list.size() == expected.size());
}

TEST_CASE("chunks come from memory beside the heap, also where it is committed in steps") {
    HeapCore heap({.reserve = 512_MiB, .limit = 512_MiB, .commit = Commit::in_steps});
    REQUIRE(heap.memory.in_steps());
    const std::size_t before = heap.memory.area_committed(Area::chunks);
    Ints list;
    while (heap.chunks.bytes() <= before + kChunkBytes) list.push(heap.chunks, list.size());
    CHECK(heap.memory.area_committed(Area::chunks) > before);
    CHECK(contents(list) == range(0, list.size()));
    CHECK(heap.pool.committed_bytes() == 0);
}
