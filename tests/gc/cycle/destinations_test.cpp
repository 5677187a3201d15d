// Where survivors go that the collector promotes beside the program (model, section 6; protocol P7): out to the scope of the outermost that
// refers to them, whichever is found first, or a plain pointer's validity would depend on when the collector is done.
#include "tests/gc/cycle/sparse_bench.hpp"

using namespace sparse;

namespace {

/// So much that what comes after it is in other spans.
void fill_spans() {
    for (std::size_t i = 0; i < kLeaves * kEvery; ++i) perfloc::make_raw<Leaf>(nullptr, i);
}

void settle(Bench& bench) {
    REQUIRE(inspect::core().collection.active());
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    REQUIRE(inspect::core().collection.cycle == 1);
    REQUIRE(bench.heap.verify().ok());
}

}  // namespace

TEST_CASE("survivors go to the scope of the outermost that refers to them, in one collection") {
    const bool outer_first = GENERATE(true, false);
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    const Handle<Leaf> in_outer = perfloc::make<Leaf>();
    perfloc::Scope middle{"middle"};
    const Handle<Leaf> in_middle = perfloc::make<Leaf>(), also_in_middle = perfloc::make<Leaf>();
    perfloc::Scope inner{"inner"};
    const auto make = [](Leaf* next) { return perfloc::make_raw<Leaf>(next, 1u); };
    Leaf* const shared = chain(make);
    fill_spans();
    also_in_middle->other = chain(make);
    fill_spans();
    const Handle<Leaf> held(chain(make));  // as if from the scope that encloses the ended one
    fill_spans();
    Leaf* const held_and_shared = chain(make);
    const Handle<Leaf> handle(held_and_shared);
    for (const bool outer_now : {outer_first, !outer_first}) (outer_now ? in_outer : in_middle)->other = shared;
    in_outer->other->other->other = held_and_shared;
    inner.end();
    settle(bench);
    CHECK(in_outer->other == in_middle->other);
    CHECK(inspect::scope(in_outer->other.get()) == "outer");
    CHECK(inspect::scope(also_in_middle->other.get()) == "middle");
    CHECK(inspect::scope(held.get()) == "middle");
    CHECK(inspect::scope(handle.get()) == "outer");
}

TEST_CASE("what two lineages refer to goes to the root, and else to the one") {
    const bool two = GENERATE(true, false);
    Bench bench(1us);
    perfloc::DetachedScope first(bench.heap, "first"), second(bench.heap, "second");
    const Handle<Leaf> in_first(first.make_raw<Leaf>()), in_second(second.make_raw<Leaf>());
    {
        perfloc::Scope scope{"filled"};
        const auto make = [](Leaf* next) { return perfloc::make_raw<Leaf>(next, 1u); };
        in_first->other = chain(make);
        fill_spans();
        (two ? in_second->other : in_first->other->other) = chain(make);
    }
    settle(bench);
    const Leaf* const later = two ? in_second->other : in_first->other->other;
    CHECK(inspect::scope(in_first->other.get()) == (two ? "(root)" : "first"));
    CHECK(inspect::scope(later) == (two ? "(root)" : "first"));
}
