#include "runtime/bump.hpp"
#include "tests/gc/inspect.hpp"
#include "tests/support/catch.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>

#include <chrono>
#include <cstdint>
#include <string>

// A span is evacuated piece by piece, and the program goes on between two of them.
namespace {

using namespace std::chrono_literals;
using perfloc::Handle;
using perfloc::Ref;

struct Leaf {
    Ref<Leaf> other;
    std::uint64_t value = 0;
};

using Table = perfloc::Array<Ref<Leaf>>;

constexpr std::size_t kLeaves = 3000, kEvery = 16;

perfloc::Options in_steps(std::chrono::nanoseconds budget) {
    return {.reserve = 1 << 30,
            .limit = 256 << 20,
            .collector = perfloc::Collector::hinted,
            .pauses = {.max = budget},
            .collector_thread = false};
}

/// Of every sixteen objects one lives, by the table, which is elsewhere; each refers to another one.
void fill(Table& table) {
    for (std::size_t i = 0; i < kLeaves * kEvery; ++i) {
        Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, i);
        if (i % kEvery != 0) continue;
        const std::size_t at = i / kEvery;
        table[at] = leaf;
        leaf->other = table[at * 7919 % (at + 1)];
    }
}

void check(Table& table) {
    for (std::size_t i = 0; i < kLeaves; ++i) REQUIRE(table[i]->value == i * kEvery);
}

void require_sound(perfloc::Heap& heap) {
    const perfloc::VerifyReport verdict = heap.verify();
    INFO((verdict.ok() ? "" : verdict.violations.front()));
    REQUIRE(verdict.ok());
}

/// A poll that runs one piece of work or a few.
void step() {
    perfloc::detail::Region& current = *inspect::core().current_region();
    perfloc::detail::store_hot();
    inspect::core().collector->step(true);
    perfloc::detail::load_hot(current);
}

std::size_t on_page(Table& table, std::uint32_t page) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < kLeaves; ++i) n += inspect::core().pages.span_page(table[i].get()) == page;
    return n;
}

/// Some of the objects that were in the span are elsewhere, and some are not.
bool in_part(Table& table, std::uint32_t page, std::size_t all) {
    const std::size_t left = on_page(table, page);
    return left != 0 && left < all && inspect::core().pages.span(page).candidate != 0;
}

}  // namespace

TEST_CASE("a span is evacuated in pieces, between which the program changes what refers to it") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    fill(*table);
    const std::uint32_t page = inspect::core().pages.span_page((*table)[kLeaves / 2].get());
    scope.trim();
    REQUIRE(perfloc::testing::run_to(heap, "settle"));
    const std::size_t all = on_page(*table, page);
    unsigned pieces = 0;
    for (std::uint64_t random = 1; perfloc::testing::phase(heap) == "settle"; ++random) {
        // Objects that have moved, that will, and new ones refer to each other.
        const std::size_t a = random * 7919 % kLeaves, b = random * 104729 % kLeaves;
        (*table)[a]->other = (*table)[b];
        (*table)[b]->other = perfloc::make_raw<Leaf>((*table)[a].get(), 1u);
        step();
        pieces += in_part(*table, page, all);
        require_sound(heap);
        check(*table);
    }
    CHECK(pieces > 0);
    CHECK(inspect::core().collection.counts.spans_evacuated > 0);
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    check(*table);
    require_sound(heap);
}

TEST_CASE("where a handle comes to hold an object of a span that is evacuated, the rest of it is adopted") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    const bool open = GENERATE(true, false);
    perfloc::Scope scope{"filled"};
    fill(*table);
    const std::uint32_t page = inspect::core().pages.span_page((*table)[kLeaves / 2].get());
    if (open) {
        scope.trim();
        perfloc::poll();
    } else {
        scope.end();
    }
    REQUIRE(perfloc::testing::run_to(heap, "settle"));
    const std::size_t all = on_page(*table, page);
    while (perfloc::testing::phase(heap) == "settle" && !in_part(*table, page, all)) {
        step();
    }
    REQUIRE(in_part(*table, page, all));
    // One that has not moved: the last of the span.
    std::size_t held = 0;
    for (std::size_t i = 0; i < kLeaves; ++i) {
        if (inspect::core().pages.span_page((*table)[i].get()) == page) held = i;
    }
    Leaf* const where = (*table)[held].get();
    const Handle<Leaf> handle = where;
    const std::size_t left = on_page(*table, page);
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(handle.get() == where);
    CHECK(on_page(*table, page) == left);
    CHECK(inspect::span(where).live_map);
    check(*table);
    require_sound(heap);
    // What has moved out of it is dead there: a collection of the whole heap finds it so.
    heap.collect_full();
    check(*table);
    require_sound(heap);
}

TEST_CASE("a budget below a piece's cost adopts") {
    perfloc::Heap heap(in_steps(500ns));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    fill(*table);
    const std::uint32_t page = inspect::core().pages.span_page((*table)[kLeaves / 2].get());
    scope.trim();
    perfloc::poll();
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(inspect::core().pages.span_page((*table)[kLeaves / 2].get()) == page);
    check(*table);
    require_sound(heap);
}

TEST_CASE("a field that was told of while marking went on is told again when it is written later") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    fill(*table);
    scope.trim();
    REQUIRE(perfloc::testing::run_to(heap, "mark"));
    const Handle<Leaf> fresh = perfloc::make<Leaf>((*table)[0].get(), 1u);
    // The collector has read the field for the last time.
    REQUIRE(perfloc::testing::run_to(heap, "clear"));
    constexpr std::size_t kLater = kLeaves / 2;
    Leaf* const before = (*table)[kLater].get();
    fresh->other = before;
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    REQUIRE((*table)[kLater].get() != before);
    CHECK(fresh->other.get() == (*table)[kLater].get());
    check(*table);
    require_sound(heap);
}

TEST_CASE("the old copy of what has moved keeps nothing alive") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    fill(*table);
    const std::uint32_t page = inspect::core().pages.span_page((*table)[kLeaves / 2].get());
    std::size_t first = 0;  // of that span: it moves first
    while (inspect::core().pages.span_page((*table)[first].get()) != page) ++first;
    scope.trim();
    REQUIRE(perfloc::testing::run_to(heap, "mark"));
    perfloc::Scope inner{"inner"};  // is not looked at
    (*table)[first]->other = perfloc::make_raw<Leaf>(nullptr, 1u);
    REQUIRE(perfloc::testing::run_to(heap, "settle"));
    const std::size_t all = on_page(*table, page);
    while (perfloc::testing::phase(heap) == "settle" && !in_part(*table, page, all)) step();
    REQUIRE(in_part(*table, page, all));
    REQUIRE(inspect::core().pages.span_page((*table)[first].get()) != page);
    CHECK((*table)[first]->other->value == 1);
    (*table)[first]->other = nullptr;
    CHECK(inner.end().promoted_bytes == 0);
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    check(*table);
    require_sound(heap);
}

namespace {

struct Named {  // never moves
    Ref<Leaf> leaf;
    std::string name;
};

struct Holder {
    Ref<Named> named;
};

}  // namespace

TEST_CASE("a span that is adopted into a region while a collection looks at that is none of the collection's") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    perfloc::DetachedScope other(heap, "other");
    fill(*table);
    const Handle<Holder> holder = perfloc::make<Holder>();
    holder->named = other.make_raw<Named>(nullptr, "named");
    scope.trim();
    REQUIRE(perfloc::testing::run_to(heap, "mark"));
    other.end();
    REQUIRE(inspect::scope(holder->named.get()) == "open");
    constexpr std::size_t kLater = kLeaves / 2;
    Leaf* const before = (*table)[kLater].get();
    holder->named->leaf = before;
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    REQUIRE((*table)[kLater].get() != before);
    CHECK(holder->named->leaf.get() == (*table)[kLater].get());
    CHECK(holder->named->name == "named");
    check(*table);
    require_sound(heap);
}

TEST_CASE("fields of new objects that a collection is told of may repeat, and other sets grow meanwhile") {
    perfloc::Heap heap(in_steps(1ms));
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    perfloc::Scope scope{"open"};
    fill(*table);
    const Handle<Table> fresh_table = [&] {
        scope.trim();
        REQUIRE(perfloc::testing::run_to(heap, "clear"));
        return perfloc::make_array<Ref<Leaf>>(kLeaves);
    }();
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < kLeaves; ++i) (*fresh_table)[i] = (*table)[i];
    }
    REQUIRE(perfloc::testing::run_to(heap, "record"));
    perfloc::Scope inner{"inner"};
    Leaf* const target = perfloc::make_raw<Leaf>(nullptr, 1u);
    for (std::size_t i = 0; perfloc::testing::phase(heap) == "record"; ++i) {
        for (std::size_t j = 0; j < 500; ++j) (*table)[(i * 500 + j) % kLeaves]->other = target;
        perfloc::testing::slice(heap);
    }
    for (std::size_t i = 0; i < kLeaves; ++i) (*table)[i]->other = nullptr;
    inner.end();
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    for (std::size_t i = 0; i < kLeaves; ++i) REQUIRE((*fresh_table)[i].get() == (*table)[i].get());
    check(*table);
    require_sound(heap);
}
