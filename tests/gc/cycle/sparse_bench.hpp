// A heap of which little lives, for the tests of collections that are stepped by hand.
#pragma once

#include "runtime/bump.hpp"
#include "tests/gc/inspect.hpp"
#include "tests/support/catch.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace sparse {

using namespace std::chrono_literals;
using perfloc::Handle;
using perfloc::Ref;

struct Leaf {
    Ref<Leaf> other;
    std::uint64_t value = 0;
};

using Table = perfloc::Array<Ref<Leaf>>;

constexpr std::size_t kLeaves = 3000, kEvery = 16, kMiddle = kLeaves / 2;

/// A heap without a thread whose every step is the test's (at such a utilization a small program gives no slice by itself), and a
/// table of what lives in spans that are nearly empty.
struct Bench {
    explicit Bench(std::chrono::nanoseconds budget = 1ms, std::size_t limit = 256 << 20, double utilization = 0.999999)
        : heap({.reserve = 1 << 30,
                .limit = limit,
                .collector = perfloc::Collector::hinted,
                .pauses = {.max = budget, .utilization = utilization},
                .collector_thread = false}) {}

    perfloc::Heap heap;
    perfloc::Mutator me{heap};
    Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    std::uint32_t page = 0;  ///< of the span in the middle
    std::uint32_t pages = 0;
    std::size_t all = 0;  ///< objects in it that live

    Ref<Leaf>& operator[](std::size_t i) { return (*table)[i]; }
    std::string_view phase() const { return perfloc::testing::phase(heap); }
    bool run_to(std::string_view phase) { return perfloc::testing::run_to(heap, phase); }

    /// In the current scope: of every sixteen objects one lives, by the table, which is elsewhere; each refers to another one.
    void fill() {
        for (std::size_t i = 0; i < kLeaves * kEvery; ++i) {
            Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, i);
            if (i % kEvery != 0) continue;
            const std::size_t at = i / kEvery;
            (*this)[at] = leaf;
            leaf->other = (*this)[at * 7919 % (at + 1)];
        }
        page = page_of(kMiddle);
        pages = inspect::core().pages.span(page).pages;
        all = on_page();
    }
    std::uint32_t page_of(std::size_t i) { return inspect::core().pages.span_page((*this)[i].get()); }
    std::size_t on_page() {
        std::size_t n = 0;
        for (std::size_t i = 0; i < kLeaves; ++i) n += inspect::core().pages.page_of((*this)[i].get()) - page < pages;
        return n;
    }
    /// Some of the objects that were in the span are elsewhere, and some are not.
    bool in_part() {
        const std::size_t left = on_page();
        return left != 0 && left < all && inspect::core().pages.span(page).candidate != 0;
    }
    template <class F>
    void at_safepoint(F&& f) {
        perfloc::detail::Region& current = *inspect::core().current_region();
        perfloc::detail::store_hot();
        f(*inspect::core().collector);
        perfloc::detail::load_hot(current);
    }
    /// A poll that runs one piece of work.
    void step() {
        at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.step(true); });
    }
    /// Until the span has moved in part.
    void move_in_part() {
        REQUIRE(run_to("settle"));
        while (phase() == "settle" && !in_part()) step();
        REQUIRE(in_part());
    }
    void check() {
        for (std::size_t i = 0; i < kLeaves; ++i) REQUIRE((*this)[i]->value == i * kEvery);
        const perfloc::VerifyReport verdict = heap.verify();
        INFO((verdict.ok() ? "" : verdict.violations.front()));
        REQUIRE(verdict.ok());
    }
    /// Until nothing is left to collect.
    void settle() {
        REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
        check();
    }
};

/// Of a chain by `other`.
inline std::size_t length(const Leaf* leaf) {
    std::size_t n = 0;
    for (; leaf != nullptr; leaf = leaf->other) ++n;
    return n;
}

/// The last of so many that to promote them takes more than a budget of a microsecond. make(next) makes one.
template <class Make>
Leaf* chain(Make&& make) {
    Leaf* last = nullptr;
    for (int i = 0; i < 20; ++i) last = make(last);
    return last;
}

}  // namespace sparse
