#include "support/catch.hpp"

#include "gc/policy/pacer.hpp"
#include "gc/policy/scope_end_policy.hpp"
#include "gc/policy/slice_policy.hpp"

#include <perfloc/units.hpp>

#include <chrono>
#include <deque>
#include <tuple>
#include <utility>

using namespace perfloc::gc;
using namespace perfloc::literals;
using namespace std::chrono_literals;
using perfloc::PauseBudget;
using std::chrono::nanoseconds;

TEST_CASE("slices leave the program its share of every window, however often they are asked for") {
    for (const auto& [max, utilization, window] :
         {std::tuple{nanoseconds(100us), 0.9, nanoseconds(10ms)}, std::tuple{nanoseconds(20us), 0.9, nanoseconds(10ms)},
          std::tuple{nanoseconds(500us), 0.5, nanoseconds(4ms)}}) {
        Pacer pacer({.max = max, .utilization = utilization, .window = window});
        std::deque<std::pair<nanoseconds, nanoseconds>> slices;  // when each began, and how long it took
        nanoseconds total{0};
        unsigned state = 1;
        for (nanoseconds now{0}; now < 2s;) {
            state = state * 1664525u + 1013904223u;
            now += nanoseconds(state % 50'000);
            const nanoseconds slice = pacer.allowance(now);
            REQUIRE(slice <= max);
            if (slice.count() == 0) continue;
            pacer.spent(slice);
            slices.emplace_back(now, slice);
            total += slice;
            now += slice;
            while (slices.front().first + window < now) slices.pop_front();
            nanoseconds in_window{0};
            for (const auto& [begun, took] : slices) in_window += took;
            const auto most =
                nanoseconds(static_cast<std::int64_t>(static_cast<double>(window.count()) * (1 - utilization)));
            REQUIRE(in_window <= most + max);
        }
        CHECK(total > 2s * (1 - utilization) / 4);  // and are not starved
    }
}

TEST_CASE("a slice waits until it has the time that its first piece of work needs") {
    Pacer pacer({.max = 100us, .utilization = 0.9, .window = 10ms});
    pacer.allowance(1s);
    pacer.spent(500us);  // all that may accrue
    CHECK(pacer.allowance(1s) == 0ns);
    const nanoseconds twentieth = pacer.allowance(1s + 1100us);  // of the time
    CHECK(twentieth > 54us);
    CHECK(twentieth <= 55us);
    CHECK(pacer.allowance(1s + 1100us, 90us) == 0ns);  // too little for that
    CHECK(pacer.allowance(1s + 1900us, 90us) >= nanoseconds(90us));
    CHECK(pacer.allowance(1s + 1900us, 1s) == 0ns);              // never more than the longest pause ...
    CHECK(pacer.allowance(1s + 5ms, 1s) == nanoseconds(100us));  // ... is waited for
    pacer.set({.max = 10us, .utilization = 0.9, .window = 10ms});
    CHECK(pacer.allowance(1s + 5ms) == nanoseconds(10us));
}

TEST_CASE("a heap is collected by its growth, sooner near its limits, later where collections take much of the time") {
    const std::size_t soft = 700_MiB, limit = 800_MiB;
    GrowthPolicy growth;
    const std::size_t usual = growth.threshold(400_MiB, soft, limit);
    CHECK(growth.threshold(0, soft, limit) == 24_MiB);
    CHECK(usual > 400_MiB);
    CHECK(usual < 600_MiB);
    CHECK(growth.threshold(600_MiB, soft, limit) == soft);
    CHECK(growth.threshold(780_MiB, soft, limit) == 790_MiB);
    CHECK(growth.threshold(900_MiB, soft, limit) == 900_MiB);
    CHECK(growth.urgent_above(400_MiB, limit) == usual);
    CHECK(growth.urgent_above(790_MiB, limit) == 795_MiB);

    for (int i = 0; i < 20; ++i) growth.collected(900ms, 1s);
    CHECK(growth.threshold(200_MiB, soft, limit) == 400_MiB);  // twice what was left, at most
    for (int i = 0; i < 20; ++i) growth.collected(10ms, 1s);
    CHECK(growth.threshold(200_MiB, soft, limit) == 240_MiB);
}

TEST_CASE("an evacuation's cost grows with its bytes and slots, and so many slots fit a budget") {
    CHECK(cost_of({0, 0}) == 0ns);
    CHECK(cost_of({1000, 0}) > cost_of({999, 0}));
    CHECK(cost_of({1000, 1}) > cost_of({1000, 0}));
    for (const nanoseconds budget : {nanoseconds(1ns), nanoseconds(20us), nanoseconds(10ms)}) {
        CHECK(cost_of({0, most_slots_fixed(budget)}) >= budget);
        CHECK(cost_of({0, most_slots_fixed(budget) - 1}) <= budget);
    }
}

TEST_CASE("a scope is dealt with at once where all of it fits the budget at its worst") {
    CHECK(collect_at_once({.bytes = 1000}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1_MiB}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1000, .slots = 10'000}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1000, .cleanups = 10'000}, 100us));
    CHECK(collect_at_once({.bytes = 1_MiB, .slots = 10'000, .cleanups = 10'000}, 10s));
    CHECK_FALSE(promote_inline({.bytes = 1000, .slots = 10'000}, 100us));
}
