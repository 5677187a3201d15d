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
          std::tuple{nanoseconds(500us), 0.5, nanoseconds(4ms)}, std::tuple{nanoseconds(20ms), 0.9, nanoseconds(10ms)},
          std::tuple{nanoseconds::max(), 0.5, nanoseconds(10ms)},
          std::tuple{nanoseconds(10s), 0.75, nanoseconds(1ms)}}) {
        Pacer pacer({.max = max, .utilization = utilization, .window = window});
        std::deque<std::pair<nanoseconds, nanoseconds>> slices;  // when each began, and how long it took
        nanoseconds total{0};
        unsigned state = 1;
        for (nanoseconds now{0}; now < 2s;) {
            state = state * 1664525u + 1013904223u;
            now += nanoseconds(state % 50'000);
            if (state % 1000 == 0) now += 3 * window;  // what it has not asked for gathers
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
            REQUIRE(in_window <= most);
        }
        CHECK(total > 2s * (1 - utilization) / 4);  // and are not starved
    }
}

TEST_CASE("budgets without measure are budgets") {
    Pacer pacer({.max = nanoseconds::max(), .utilization = 0.001, .window = nanoseconds::max()});
    CHECK(pacer.longest() > 1min);
    pacer.spent(pacer.longest());
    pacer.spent(pacer.longest());
    CHECK(pacer.allowance(0ns) == 0ns);
    pacer.set({.max = 1s, .utilization = 0.999999, .window = 1ns});
    CHECK(pacer.longest() > 0ns);
    CHECK(pacer.longest() < 100us);
}

TEST_CASE("a slice waits until it has the time that its first piece of work needs") {
    Pacer pacer({.max = 100us, .utilization = 0.9, .window = 10ms});
    CHECK(pacer.allowance(1s) == 0ns);  // nothing has accrued before it is asked for the first time
    CHECK(pacer.allowance(1s) == 0ns);
    const nanoseconds some = pacer.allowance(1s + 800us);  // 6 % of the time
    CHECK(some > 47us);
    CHECK(some <= 48us);
    CHECK(pacer.allowance(1s + 800us, 70us) == 0ns);  // too little for that
    CHECK(pacer.allowance(1s + 1200us, 70us) >= nanoseconds(70us));
    CHECK(pacer.allowance(1s + 1200us, 1s) == 0ns);             // never more than a slice may take ...
    CHECK(pacer.allowance(1s + 5ms, 1s) == nanoseconds(80us));  // ... is waited for
    pacer.set({.max = 10us, .utilization = 0.9, .window = 10ms});
    CHECK(pacer.allowance(1s + 5ms) == nanoseconds(6667ns));  // some microseconds are left for the last piece of work
}

TEST_CASE(
    "a heap is collected by its growth, sooner near its limits and where much was made during the last collection") {
    const std::size_t soft = 700_MiB, limit = 800_MiB;
    GrowthPolicy growth;
    CHECK(growth.threshold(0, soft, limit) == 18_MiB);  // of 24 MiB
    const std::size_t usual = growth.threshold(400_MiB, soft, limit);
    CHECK(usual > 500_MiB);
    CHECK(usual < 550_MiB);
    CHECK(growth.threshold(600_MiB, soft, limit) == 650_MiB);
    CHECK(growth.threshold(780_MiB, soft, limit) == 790_MiB);
    CHECK(growth.threshold(900_MiB, soft, limit) == 900_MiB);
    // What was promoted since counts less, but not so that the soft limit comes before the collection has ended.
    CHECK(growth.later(300_MiB, 50_MiB, 200_MiB, soft) == 350_MiB);
    CHECK(growth.later(300_MiB, 1_GiB, 200_MiB, soft) == 575_MiB);
    CHECK(growth.later(790_MiB, 50_MiB, 780_MiB, soft) == 790_MiB);
    const std::size_t most = growth.urgent_above(200_MiB, 250_MiB, limit);
    CHECK(most > 270_MiB);
    CHECK(most < 290_MiB);
    CHECK(growth.urgent_above(200_MiB, 400_MiB, limit) > 400_MiB);  // late: it is not urgent at once
    CHECK(growth.urgent_above(780_MiB, 790_MiB, limit) == 795_MiB);
    // What has ended was there before; and what ends meanwhile is never as much again.
    CHECK(growth.urgent_above_ended(400_MiB, limit) == 450_MiB);
    CHECK(growth.urgent_above_ended(1_MiB, limit) == 25_MiB);
    CHECK(growth.urgent_above_ended(790_MiB, limit) == 795_MiB);

    growth.collected(40_MiB);
    const std::size_t sooner = growth.threshold(200_MiB, soft, limit);
    CHECK(sooner + 50_MiB <= most);
    CHECK(sooner + 52_MiB > most);
    growth.collected(1_GiB);  // it cannot keep up: not at once again
    CHECK(growth.threshold(200_MiB, soft, limit) >= 218_MiB);
}

TEST_CASE("an evacuation's cost grows with its bytes and slots, and so many slots fit a piece") {
    const EvacuationCosts costs;
    CHECK(costs.of({0, 0}) == 0ns);
    CHECK(costs.of({1000, 0}) > costs.of({900, 0}));
    CHECK(costs.of({1000, 1}) > costs.of({1000, 0}));
    for (const nanoseconds budget : {nanoseconds(1ns), nanoseconds(20us), nanoseconds(10ms)}) {
        CHECK(costs.of({0, most_slots_fixed(budget)}) >= longest_piece(budget));
    }
}

TEST_CASE("an evacuation's cost is learned: nearly all keep to it") {
    EvacuationCosts costs;
    const Evacuation span{10'000, 100};
    unsigned state = 1;
    int kept = 0;
    for (int i = 0; i < 3000; ++i) {
        state = state * 1664525u + 1013904223u;
        const nanoseconds took(20'000 + (state >> 8) % 20'000);
        if (i >= 1000) kept += took <= costs.of(span);
        costs.learn(span, took);
    }
    CHECK(kept > 1900);
    CHECK(kept < 1990);
    CHECK(costs.of(span) < 45us);
    for (int i = 0; i < 1000; ++i) costs.learn(span, 100ns);
    CHECK(costs.of(span) < 6us);
    CHECK(costs.of(span) > 1us);  // never as if it were nothing
    for (int i = 0; i < 100; ++i) costs.learn(span, 1s);
    CHECK(costs.of(span) < 100us);  // nor so dear that nothing would be moved again
    costs.learn({0, 0}, 1us);
}

TEST_CASE("a scope is dealt with at once where all of it fits the budget at its worst") {
    CHECK(collect_at_once({.bytes = 1000}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1_MiB}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1000, .slots = 10'000}, 100us));
    CHECK_FALSE(collect_at_once({.bytes = 1000, .cleanups = 10'000}, 100us));
    CHECK(collect_at_once({.bytes = 1_MiB, .slots = 10'000, .cleanups = 10'000}, 10s));
    CHECK_FALSE(promote_inline({.bytes = 1000, .slots = 10'000}, 100us));
}

TEST_CASE("open scopes are overdue later than they are due, and before the soft limit where that is low") {
    for (const std::size_t soft : {50_MiB, 1_GiB, 8_GiB}) {
        for (const std::size_t left : {std::size_t{0}, soft / 8, soft / 4}) {
            const std::size_t due = GrowthPolicy().threshold(left, soft, soft / 4 * 5);
            const std::size_t overdue = GrowthPolicy::overdue_above(left, due, soft);
            CHECK(overdue > due);
            CHECK(overdue <= left + (soft - left) / 8 * 7);
            CHECK(overdue <= left + 3 * (due - left) + 1_GiB);
        }
    }
}
