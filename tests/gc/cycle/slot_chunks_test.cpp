#include "gc/cycle/slot_chunks.hpp"

#include "api/objects.hpp"
#include "runtime/heap_core.hpp"
#include "support/catch.hpp"

#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using perfloc::gc::SlotChunks;

namespace {

using Short = ChunkList<std::uint64_t, SlotChunks>;

}  // namespace

TEST_CASE("many short lists take a third of a chunk each, and give everything back at once") {
    Heap heap(objects::small());
    Mutator me(heap);
    ChunkPool& pool = current_heap("the test").chunks;
    SlotChunks thirds(pool);
    constexpr std::size_t kLists = 3000;
    std::size_t bytes = 0;
    for (int round = 0; round < 3; ++round) {
        const std::size_t before = pool.bytes();
        std::vector<Short> lists(kLists);
        for (std::uint64_t i = 0; i < 10; ++i) {
            for (std::size_t n = 0; n < kLists; ++n) lists[n].push(thirds, n * 100 + i);
        }
        if (round == 0) bytes = pool.bytes() - before;
        CHECK(bytes <= kLists / 3 * kChunkBytes + kChunkBytes);
        if (round != 0) CHECK(pool.bytes() == before);  // those of the last round
        for (std::size_t n = 0; n < kLists; n += 2) lists[n].clear(thirds);
        for (std::size_t n = 0; n < kLists; n += 2) lists[n].push(thirds, n);
        for (std::size_t n = 0; n < kLists; ++n) {
            REQUIRE(lists[n].size() == (n % 2 == 0 ? 1 : 10));
            std::uint64_t next = n % 2 == 0 ? n : n * 100;
            lists[n].for_each([&](std::uint64_t value) { REQUIRE(value == next++); });
        }
        thirds.reset();
    }
    thirds.reset();  // of nothing
    Short more;
    for (std::uint64_t i = 0; i < 1000; ++i) more.push(thirds, i);
    for (std::uint64_t i = 1000; i != 0; --i) REQUIRE(more.pop(thirds) == i - 1);
    thirds.reset();
}
