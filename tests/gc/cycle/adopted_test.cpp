// What the end of a scope adopts while open scopes are collected is none of what that collection looks at, wherever it goes later.
#include "tests/gc/cycle/sparse_bench.hpp"

#include <memory>
#include <string>
#include <vector>

using namespace sparse;

namespace {

struct Named {
    Ref<Leaf> leaf;
    std::string name;
};

struct Holder {
    Ref<Named> named;
};

/// Kept scopes, each in the next, with more spans than are told at once whose they are now.
void keep_nest(int depth) {
    perfloc::Scope scope{"nested"};
    if (depth == 0) {
        for (int i = 0; i < 9; ++i) perfloc::make_raw_array<char>(33 * 1024);
    } else {
        keep_nest(depth - 1);
    }
    scope.keep();
}

}  // namespace

TEST_CASE("what a scope has adopted, that began during a collection and is kept, is not taken for old and dead") {
    Bench bench(20us);
    perfloc::DetachedScope holders(bench.heap, "holders");
    const Handle<Holder> holder(holders.make_raw<Holder>());
    Handle<Named> named;
    {
        perfloc::Scope scope{"open"};
        perfloc::DetachedScope other(bench.heap, "other");
        bench.fill();
        named = other.make_raw<Named>(nullptr, "a name that is not in the object");
        scope.trim();
        REQUIRE(bench.run_to("mark"));
        {
            perfloc::Scope inner{"inner"};
            other.end();
            holder->named = named.get();
            inner.keep();
        }
        bench.heap.set_pauses({.max = 1ms});
        named->leaf = bench[kMiddle].get();
        bench.settle();
        CHECK(named->leaf.get() == bench[kMiddle].get());
        named = {};
    }
    bench.settle();
    CHECK(holder->named->name == "a name that is not in the object");
    CHECK(holder->named->leaf.get() == bench[kMiddle].get());
}

TEST_CASE("copies of a global handle that are dropped while roots are gathered leave one root, not one each") {
    Bench bench(1us);
    const Handle<Leaf> leaf = perfloc::make<Leaf>(nullptr, 7u);
    const perfloc::GlobalHandle<Leaf> global(leaf);
    {
        perfloc::Scope scope{"large"};
        bench.fill();
    }
    REQUIRE(bench.phase() == "gather");
    for (int i = 0; i < 100'000; ++i) perfloc::GlobalHandle<Leaf> copy(global);
    CHECK(inspect::core().ghosts.size() < 10);
    bench.settle();
    CHECK(global.get()->value == 7);
}

TEST_CASE("kept scopes in kept scopes do not use up the records of scopes") {
    perfloc::Heap heap({.reserve = 64 << 20, .limit = 60 << 20, .collector_thread = false});
    perfloc::Mutator me(heap);
    for (int round = 0; round < 100; ++round) keep_nest(100);
    CHECK(heap.verify().ok());
}

TEST_CASE("neither while a collection looks at all of them, which is ended then") {
    perfloc::Heap heap({.reserve = 64 << 20,
                        .limit = 60 << 20,
                        .pauses = {.max = 1ms, .utilization = 0.999999},
                        .collector_thread = false});
    perfloc::Mutator me(heap);
    const Handle<Leaf> leaf = perfloc::make<Leaf>(perfloc::make_raw<Leaf>(nullptr, 7u), 8u);
    for (int i = 0; i < 10'000; ++i) perfloc::make_raw<Leaf>(nullptr, 1u);
    heap.root().trim();
    REQUIRE(perfloc::testing::run_to(heap, "mark"));
    for (int round = 0; round < 60; ++round) keep_nest(100);
    CHECK(perfloc::testing::phase(heap) == "idle");
    CHECK(leaf->other->value == 7);
    CHECK(heap.verify().ok());
}

TEST_CASE("a detached scope takes back the records of kept scopes too") {
    perfloc::Heap heap({.reserve = 64 << 20, .limit = 60 << 20, .collector_thread = false});
    perfloc::Mutator me(heap);
    std::vector<std::unique_ptr<perfloc::DetachedScope>> detached;
    const Handle<Leaf> leaf = perfloc::make<Leaf>(nullptr, 7u);
    for (int round = 0; round < 30; ++round) {
        keep_nest(100);
        for (int i = 0; i < 50; ++i) {
            detached.push_back(std::make_unique<perfloc::DetachedScope>(heap, perfloc::Label("detached")));
            detached.back()->make_raw<Leaf>(leaf, 1u);
        }
    }
    CHECK(perfloc::make_raw<Leaf>(leaf, 8u)->other->value == 7);
    CHECK(heap.verify().ok());
}
