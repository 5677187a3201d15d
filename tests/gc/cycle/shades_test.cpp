#include "tests/gc/cycle/sparse_bench.hpp"

#include <vector>

// What is shaded while objects are marked: anything at first, so that a store looks nothing up; later only what is not marked.
using namespace sparse;

namespace {

perfloc::detail::CollectionState& collection() { return inspect::core().collection; }

/// A collection of all that is open, in the phase "mark".
void begin_marking(Bench& bench) {
    bench.fill();
    inspect::core().root->settled_pages = 0;
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) {
        collector.trim(*inspect::core().root);
        collector.step(true);
    });
    while (bench.phase() == "gather") bench.step();
    REQUIRE(bench.phase() == "mark");
    REQUIRE(collection().pressure);
}

}  // namespace

TEST_CASE("at first what a store overwrites is shaded without a look, then only what is not marked yet") {
    Bench bench;
    begin_marking(bench);
    const std::size_t before = collection().shades.size();
    Handle<Leaf> newer = perfloc::make<Leaf>(nullptr, 3u);
    bench[0] = newer.get();
    bench[0] = bench[1].get();  // overwrites what the collection does not look at
    CHECK(collection().shades.size() == before + 2);
    bench[0] = nullptr;
    CHECK(collection().shades.size() == before + 3);
    while (bench.phase() == "mark") bench.step();
    REQUIRE(bench.phase() == "agree");
    bench.step();  // they are handed over
    REQUIRE(collection().shades.empty());
    while (bench.phase() == "mark") bench.step();
    REQUIRE(bench.phase() == "agree");
    bench[0] = bench[2].get();
    bench[2] = nullptr;  // marked long ago
    CHECK(collection().shades.empty());
    bench[2] = bench[0].get();
    bench[0] = newer.get();
    CHECK(collection().shades.empty());
    bench[0] = bench[1].get();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(newer->value == 3);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("what may be shaded without a look is bounded by what is collected") {
    Bench bench;
    begin_marking(bench);
    const std::size_t most = collection().unsorted_shades;
    REQUIRE(most > 0);
    CHECK(most <= inspect::core().pool.used_bytes() / 1024);
    Leaf* const marked = bench[0].get();
    while (bench.phase() == "mark" && !inspect::core().collector->marked(marked)) bench.step();
    REQUIRE(bench.phase() == "mark");
    const auto overwrite = [&] {
        bench[1] = marked;
        bench[1] = nullptr;
    };
    for (std::size_t i = 0; i < 10 * most; ++i) overwrite();
    CHECK(collection().shades.size() == most);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(bench[0]->value == 0);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a shade of a scope that has been released since is nothing to the collection") {
    Bench bench;
    begin_marking(bench);
    {
        perfloc::Scope scope{"small"};
        const Handle<Leaf> holder = perfloc::make<Leaf>(perfloc::make_raw<Leaf>(nullptr, 1u), 2u);
        holder->other = nullptr;
        REQUIRE_FALSE(collection().shades.empty());
    }
    for (int i = 0; i < 100; ++i) {  // its memory is used again
        perfloc::Scope scope{"small"};
        for (std::uint64_t n = 0; n < 100; ++n) perfloc::make_raw<Leaf>(nullptr, n);
    }
    bench.settle();
}

TEST_CASE("what was shaded while many scopes wait is kept by each collection of some of them") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    {
        perfloc::Scope scope{"first"};
        Leaf* last = nullptr;
        for (std::size_t i = 0; i < kLeaves; ++i) last = perfloc::make_raw<Leaf>(last, i);
        bench[0] = last;
    }
    REQUIRE(bench.phase() == "gather");
    constexpr std::size_t kScopes = 70;  // more than one collection takes at this budget
    for (std::size_t i = 1; i <= kScopes; ++i) {
        perfloc::Scope scope{"waits"};
        Leaf* last = nullptr;  // too many for its end, and dense: nothing moves, so that no poll is needed
        for (std::size_t n = 0; n < kLeaves; ++n) last = perfloc::make_raw<Leaf>(last, i);
        bench[i] = last;
    }
    REQUIRE(collection().waiting == kScopes);
    // From here on raw pointers alone hold what every second one has left, until the next poll.
    std::vector<perfloc::WeakHandle<Leaf>> weak;
    for (std::size_t i = 1; i <= kScopes; i += 2) {
        weak.emplace_back(bench[i].get());
        bench[i] = nullptr;
    }
    REQUIRE(collection().waiting_shades.size() >= kScopes / 2);
    bool some_waited = false;
    while (bench.heap.stats().scope_collections() < 3) {
        INFO(bench.phase() << ", " << collection().waiting << " wait, " << bench.heap.stats().scope_collections());
        REQUIRE(perfloc::testing::slice(bench.heap));  // no poll
        some_waited = some_waited || (bench.heap.stats().scope_collections() == 1 && collection().waiting > 0 &&
                                      collection().waiting < kScopes && !collection().begun_shades.empty());
    }
    CHECK(some_waited);
    REQUIRE(collection().waiting == 0);
    for (std::size_t n = 0; n < weak.size(); ++n) {
        INFO(n);
        const Handle<Leaf> alive = weak[n].lock();
        REQUIRE(alive.get() != nullptr);
        CHECK(alive->value == 2 * n + 1);
    }
    CHECK(bench.heap.verify().ok());
    bench.heap.root().trim();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    for (const auto& dead : weak) CHECK(dead.lock().get() == nullptr);
}
