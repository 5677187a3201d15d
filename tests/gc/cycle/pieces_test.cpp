#include "tests/gc/cycle/sparse_bench.hpp"

#include <string>

// A span is evacuated piece by piece, and the program goes on between two of them.
using namespace sparse;

namespace {

struct Named {  // never moves
    Ref<Leaf> leaf;
    std::string name;
};

struct Holder {
    Ref<Named> named;
};

}  // namespace

TEST_CASE("a span is evacuated in pieces, between which the program changes what refers to it") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("settle"));
    unsigned pieces = 0;
    for (std::uint64_t random = 1; bench.phase() == "settle"; ++random) {
        // Objects that have moved, that will, and new ones refer to each other.
        const std::size_t a = random * 7919 % kLeaves, b = random * 104729 % kLeaves;
        bench[a]->other = bench[b];
        bench[b]->other = perfloc::make_raw<Leaf>(bench[a].get(), 1u);
        bench.step();
        pieces += bench.in_part();
        bench.check();
    }
    CHECK(pieces > 0);
    CHECK(inspect::core().collection.counts.spans_evacuated > 0);
    bench.settle();
}

TEST_CASE("where a handle comes to hold an object of a span that is evacuated, the rest of it is adopted") {
    Bench bench;
    const bool open = GENERATE(true, false);
    perfloc::Scope scope{"filled"};
    bench.fill();
    if (open) {
        scope.trim();
        bench.step();
    } else {
        scope.end();
    }
    bench.move_in_part();
    // One that has not moved: the last of the span.
    std::size_t held = kMiddle;
    for (std::size_t i = 0; i < kLeaves; ++i) {
        if (bench.page_of(i) == bench.page) held = i;
    }
    Leaf* const where = bench[held].get();
    const Handle<Leaf> handle = where;
    const std::size_t left = bench.on_page();
    bench.settle();
    CHECK(handle.get() == where);
    CHECK(bench.on_page() == left);
    CHECK(inspect::span(where).live_map);
    // What has moved out of it is dead there: a collection of the whole heap finds it so.
    bench.heap.collect_full();
    bench.check();
}

TEST_CASE("a budget below a piece's cost adopts") {
    Bench bench(500ns);
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    perfloc::poll();
    bench.settle();
    CHECK(bench.page_of(kMiddle) == bench.page);
}

TEST_CASE("a field that was told of while marking went on is told again when it is written later") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    const Handle<Leaf> fresh = perfloc::make<Leaf>(bench[0].get(), 1u);
    REQUIRE(bench.run_to("clear"));  // the collector has read the field for the last time
    Leaf* const before = bench[kMiddle].get();
    fresh->other = before;
    bench.settle();
    REQUIRE(bench[kMiddle].get() != before);
    CHECK(fresh->other.get() == bench[kMiddle].get());
}

TEST_CASE("a field that was told of as its region's own is told again when it comes to refer elsewhere") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    perfloc::Scope inner{"inner"};  // is looked at, too
    const Handle<Leaf> target = perfloc::make<Leaf>(nullptr, 1u);
    bench.heap.root().trim();
    REQUIRE(bench.run_to("mark"));
    Leaf* const fresh = perfloc::make_raw_in<Leaf>(scope, bench[0].get(), 2u);  // its own region's
    bench[0]->other = fresh;
    fresh->other = target.get();
    bench.check();
    bench.settle();
    CHECK(bench[0]->other->other.get() == target.get());
    inner.end();
    bench.settle();
    CHECK(bench[0]->other->other->value == 1);
}

TEST_CASE("the old copy of what has moved keeps nothing alive") {
    const bool given_back = GENERATE(false, true);  // while the span leaves its region, or before
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    std::size_t first = 0;  // of the span: it moves first
    while (bench.page_of(first) != bench.page) ++first;
    const char* const old = reinterpret_cast<const char*>(bench[first].get());
    const std::uint32_t region = inspect::region(old).index;
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    perfloc::Scope inner{"inner"};  // is not looked at
    bench[first]->other = perfloc::make_raw<Leaf>(nullptr, 1u);
    const perfloc::WeakHandle<Leaf> weak(bench[first]->other.get());
    bench.move_in_part();
    REQUIRE(bench.page_of(first) != bench.page);
    CHECK(bench[first]->other->value == 1);
    bench[first]->other = nullptr;
    if (given_back) {
        while (inspect::region(old).index == region) bench.step();
        REQUIRE(bench.phase() == "follow");
    }
    CHECK(inner.end().promoted_bytes == 0);
    CHECK(weak.expired());
    bench.settle();
}

TEST_CASE("a span that is adopted into a region while a collection looks at that is none of the collection's") {
    Bench bench(20us);  // the next collection takes slices to get to its end
    perfloc::Scope scope{"open"};
    perfloc::DetachedScope other(bench.heap, "other");
    bench.fill();
    const Handle<Holder> holder = perfloc::make<Holder>();
    holder->named = other.make_raw<Named>(nullptr, "named");
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    other.end();
    REQUIRE(inspect::scope(holder->named.get()) == "open");
    REQUIRE(bench.phase() == "mark");  // still
    bench.heap.set_pauses({.max = 1ms});
    Leaf* const before = bench[kMiddle].get();
    holder->named->leaf = before;
    bench.settle();
    REQUIRE(bench[kMiddle].get() != before);
    CHECK(holder->named->leaf.get() == bench[kMiddle].get());
    CHECK(holder->named->name == "named");
}

TEST_CASE("fields that a collection was told of are not deduplicated while they are walked") {
    constexpr std::size_t kRepeated = 2000;
    const std::size_t steps = GENERATE(10u, 75u, 150u, 225u);  // of the walk, until the program records anything again
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("clear"));
    const Handle<Table> fresh = perfloc::make_array<Ref<Leaf>>(kLeaves);
    for (std::size_t i = 0; i < 2 * kRepeated; ++i) (*fresh)[i % kRepeated] = bench[i % kRepeated];
    std::size_t written = kRepeated;  // these follow repetitions, in whose place they would move
    for (; !inspect::core().deduplication.running(); ++written) (*fresh)[written] = bench[written];
    const perfloc::detail::RememberedSet& own = inspect::core().collection.open.own_slots;
    const std::size_t told = own.size();
    REQUIRE(told > 2 * kRepeated);
    REQUIRE(bench.run_to("record"));
    perfloc::Scope inner{"inner"};
    Leaf* const target = perfloc::make_raw<Leaf>(nullptr, 1u);
    for (std::size_t i = 0; i < steps; ++i) bench.step();
    REQUIRE(bench.phase() == "record");
    for (std::size_t i = 0; i < 3 * kLeaves; ++i) bench[i % kLeaves]->other = target;  // enough for steps
    CHECK(own.size() == told);
    for (std::size_t i = 0; i < kLeaves; ++i) bench[i]->other = nullptr;
    inner.end();
    bench.settle();
    for (std::size_t i = 0; i < written; ++i) REQUIRE((*fresh)[i].get() == bench[i].get());
}
