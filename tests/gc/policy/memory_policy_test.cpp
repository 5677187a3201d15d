#include "support/catch.hpp"

#include "gc/policy/memory_policy.hpp"

#include <perfloc/units.hpp>

using namespace perfloc::gc;
using namespace perfloc::literals;
using namespace std::chrono_literals;

TEST_CASE("demand follows a rise at once, is a rate over longer times, and fades by half a period") {
    struct Case {
        std::size_t demand;
        std::uint64_t taken;
        std::chrono::nanoseconds elapsed;
        std::size_t next;
    };
    const Case cases[] = {
        {0, 0, 0ns, 0},  {0, 0, 10ms, 0},    {0, 1, 1ms, 1},      {0, 7, 1ms, 7},      {0, 7, 10ms, 7}, {0, 7, 20ms, 4},
        {0, 1, 10s, 1},  {8, 0, 9ms, 8},     {8, 0, 10ms, 4},     {8, 0, 30ms, 1},     {8, 0, 40ms, 0}, {8, 6, 10ms, 6},
        {8, 2, 10ms, 4}, {8, 100, 5ms, 100}, {1000, 0, 640ms, 0}, {1000, 0, 1000s, 0}, {8, 0, -1ms, 8}, {0, 3, -1ms, 3},
    };
    for (const Case& c : cases) {
        INFO(c.demand << ", " << c.taken << " in " << c.elapsed.count() << " ns");
        CHECK(next_demand(c.demand, c.taken, c.elapsed) == c.next);
    }
}

TEST_CASE("twice what a period takes is kept ahead, up to a bound, and nothing for a heap that does not grow") {
    CHECK(blocks_ahead(0, 256) == 0);
    CHECK(blocks_ahead(1, 256) == 2);
    CHECK(blocks_ahead(100, 256) == 200);
    CHECK(blocks_ahead(128, 256) == 256);
    CHECK(blocks_ahead(1000, 256) == 256);
    CHECK(blocks_ahead(SIZE_MAX, 256) == 256);
    CHECK(blocks_ahead(5, 0) == 0);
}

TEST_CASE("an eighth of what is used waits ahead, and no more than reaches the soft limit") {
    constexpr std::size_t MiB = 1 << 20, block = MiB / 4;
    CHECK(most_ahead(0, 100 * MiB) == block);
    CHECK(most_ahead(40 * MiB, 100 * MiB) == 5 * MiB);
    CHECK(most_ahead(96 * MiB, 100 * MiB) == 4 * MiB);
    CHECK(most_ahead(100 * MiB, 100 * MiB) == block);
    CHECK(most_ahead(200 * MiB, 100 * MiB) == block);
    CHECK(most_ahead(4096 * MiB, 8192 * MiB) == 64 * MiB);
}

TEST_CASE("of idle memory an eighth of what is used is kept, and not less than 4 MiB") {
    struct Case {
        std::size_t idle, used, excess;
    };
    const Case cases[] = {
        {0, 0, 0},         {4_MiB, 0, 0},           {5_MiB, 0, 1_MiB},
        {5_MiB, 1_GiB, 0}, {1_GiB, 1_GiB, 896_MiB}, {512_MiB, 0, 508_MiB},
        {1_MiB, 1_TiB, 0},
    };
    for (const Case& c : cases) {
        INFO(c.idle << " idle, " << c.used << " used");
        CHECK(excess_bytes(c.idle, c.used) == c.excess);
    }
}

TEST_CASE("released regions are taken apart well before their blocks are given back") {
    CHECK(dissolve_after(1s) == 100ms);
    CHECK(dissolve_after(100ms) == 25ms);
    CHECK(dissolve_after(0ns) == 0ns);
}

TEST_CASE("the service rests briefly while the heap grows, else by the age at which memory is returned") {
    CHECK(rest(1, 1s) < kGrowthPeriod);
    CHECK(rest(0, 1s) == 250ms);
    CHECK(rest(0, 100ms) == 25ms);
    CHECK(rest(0, 0ns) == 1ms);
    CHECK(rest(0, 1h) == 250ms);
}
