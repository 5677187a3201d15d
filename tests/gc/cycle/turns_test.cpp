#include "tests/gc/cycle/sparse_bench.hpp"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

// law [progress]: collections of ended and of open scopes take turns, so that neither waits for ever.
using namespace sparse;

namespace {

perfloc::detail::CollectionState& collection() { return inspect::core().collection; }

/// A chain in the current scope, which goes on with `last`.
Leaf* leaves(Leaf* last = nullptr) {
    for (std::size_t i = 0; i < kLeaves; ++i) last = perfloc::make_raw<Leaf>(last, i);
    return last;
}

/// A scope of which much survives, in a chain by `table[at]`, ends and is condemned.
void end_one(Bench& bench, std::size_t at) {
    perfloc::Scope scope{"large"};
    bench[at] = leaves();
}

/// Until nothing is left to collect: so many collections were of open scopes, and the chains by table[0], [1]... are whole.
void settle_chains(Bench& bench, std::uint64_t of_open_scopes, std::initializer_list<std::size_t> lengths) {
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(collection().counts.pressure_cycles == of_open_scopes);
    std::size_t at = 0;
    for (const std::size_t expected : lengths) CHECK(length(bench[at++]) == expected);
    CHECK(bench.heap.verify().ok());
}

/// Until the running collection has ended.
void end_cycle(Bench& bench) {
    const auto cycle = collection().cycle;
    while (bench.phase() != "idle" && collection().cycle == cycle) bench.step();
}

}  // namespace

TEST_CASE("a collection of what is open comes before that of what has ended meanwhile, and looks at that too") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    end_one(bench, 0);
    REQUIRE(bench.phase() == "gather");
    // The second one, which will wait, refers to what nothing else does: that is not recorded, since `outer` encloses it.
    Leaf* const hidden = perfloc::make_raw<Leaf>(nullptr, 42u);
    const perfloc::WeakHandle<Leaf> weak(hidden);
    std::optional<perfloc::WeakHandle<Leaf>> dead;
    {
        perfloc::Scope scope{"second"};
        bench[1] = leaves(perfloc::make_raw<Leaf>(hidden, 7u));
        dead.emplace(perfloc::make_raw<Leaf>(nullptr, 1u));
    }
    REQUIRE(collection().waiting == 1);
    outer.trim();
    end_cycle(bench);
    bench.step();
    REQUIRE(bench.phase() != "idle");
    CHECK(collection().pressure);
    CHECK(collection().waiting == 1);
    CHECK(collection().counts.waiting_in_set == 1);
    end_cycle(bench);
    CHECK(collection().counts.pressure_cycles == 1);
    CHECK(dead->expired());  // found in the turn of what is open
    REQUIRE_FALSE(weak.expired());
    CHECK(length(bench[1]) == kLeaves + 2);
    CHECK(inspect::scope(bench[1].get()) == "second");  // it has not been collected for itself yet
    outer.trim();                                       // not twice in a row
    bench.step();
    REQUIRE(bench.phase() != "idle");
    CHECK_FALSE(collection().pressure);
    settle_chains(bench, 2, {kLeaves, kLeaves + 2});
    CHECK(inspect::scope(bench[1].get()) != "second");
    REQUIRE_FALSE(weak.expired());
    CHECK(weak.lock()->value == 42);
}

TEST_CASE("what has ended beside a scope that is collected is left alone") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    end_one(bench, 0);
    end_one(bench, 1);
    REQUIRE(collection().waiting == 1);
    perfloc::Scope inner{"inner"};  // it began after that, and does not enclose it
    const Handle<Leaf> kept = perfloc::make_raw<Leaf>(bench[1].get(), 3u);
    inner.trim();
    end_cycle(bench);
    bench.step();
    REQUIRE(bench.phase() != "idle");
    CHECK(collection().pressure);
    CHECK(collection().counts.waiting_in_set == 0);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(length(kept->other) == kLeaves);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("what has ended does not wait for ever for a poll that does not come") {
    Bench bench(1us, 256 << 20, 0.9);
    perfloc::Scope outer{"outer"};
    end_one(bench, 0);
    end_one(bench, 1);
    outer.trim();
    const auto first = collection().cycle;
    int ends = 0;
    for (; collection().cycle == first && ends < 1'000'000; ++ends) perfloc::Scope scope{"small"};
    CHECK(ends > 1000);  // for a while
    CHECK(collection().cycle == first + 1);
    CHECK_FALSE(collection().pressure);
    settle_chains(bench, 1, {kLeaves, kLeaves});  // that of what is open was still due
}

TEST_CASE("no label promotes more than it was given, be it by scopes that ended in it and settled later") {
    Bench bench(1us);
    Handle<Leaf> kept;
    {
        perfloc::Scope outer{"outer"};
        {
            perfloc::Scope inner{"inner"};
            Leaf* last = nullptr;
            for (int i = 0; i < 20000; ++i) last = perfloc::make_raw<Leaf>(last, 1u);
            kept = last;  // by a handle: what is in it goes to `outer` first
        }
    }
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    std::uint64_t promoted = 0;
    for (const perfloc::LabelStats& label : bench.heap.stats().labels()) {
        INFO(label.name << ": " << label.promoted_bytes << " of " << label.allocated_bytes);
        CHECK(label.promoted_bytes <= label.allocated_bytes);
        promoted += label.promoted_bytes;
    }
    CHECK(promoted > 20000 * sizeof(Leaf));
}

TEST_CASE("a kept scope that has to wait counts as kept when it is merged") {
    Bench bench(1us);
    bench.fill();
    {
        perfloc::Scope kept{"kept"};
        kept.keep();
        bench[0] = perfloc::make_raw<Leaf>(nullptr, 0u);
        kept.trim();
        bench.step();
        REQUIRE(collection().pressure);
        REQUIRE(bench.phase() != "idle");
    }
    bench.settle();
    CHECK(inspect::scope(bench[0].get()) == "(mutator)");
    std::uint64_t counted = 0;
    for (const perfloc::LabelStats& label : bench.heap.stats().labels()) {
        if (label.name == "kept") counted += label.kept;
    }
    CHECK(counted == 1);
}

TEST_CASE("what was looked at with open scopes has its own turn before they have another") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    {
        perfloc::Scope work{"work"};
        bench[0] = leaves();
        outer.trim();
        bench.step();
        REQUIRE(collection().pressure);
    }
    REQUIRE(collection().waiting == 1);
    for (int turn = 0; turn < 4; ++turn) {  // the ends of scopes end each collection, before the poll
        while (bench.phase() != "idle") perfloc::testing::slice(bench.heap);
        perfloc::testing::slice(bench.heap);
        outer.trim();
        bench.step();
        CHECK(collection().waiting == 0);
        CHECK(collection().pressure == (turn != 0));  // nothing waits any more then
    }
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(length(bench[0]) == kLeaves);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("many ends of scopes between two polls do not take the turn of what is open") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    end_one(bench, 0);
    end_one(bench, 1);
    REQUIRE(collection().waiting == 1);
    outer.trim();
    const auto first = collection().cycle;
    while (bench.phase() != "idle" && collection().cycle == first) perfloc::testing::slice(bench.heap);
    for (int i = 0; i < 100; ++i) perfloc::Scope scope{"small"};
    REQUIRE(bench.phase() == "idle");  // what waits is held
    REQUIRE(collection().waiting == 1);
    bench.step();
    CHECK(collection().pressure);
    CHECK(collection().cycle == first + 1);
    settle_chains(bench, 1, {kLeaves, kLeaves});
}

TEST_CASE("a full collection has done what trim() asked for") {
    Bench bench;
    bench.fill();
    perfloc::Scope outer{"outer"};
    outer.trim();
    bench.heap.collect_full();
    bench.settle();
    CHECK(collection().counts.pressure_cycles == 0);
    perfloc::Scope inner{"inner"};
    for (std::uint64_t i = 0; i < kLeaves; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    inspect::core().safepoint_due = true;  // as growth does
    bench.settle();
    CHECK(collection().counts.pressure_cycles == 0);
}

namespace {

/// Ends, with its own end, a scope of which much survives.
struct Keeper {
    perfloc::DetachedScope* scope = nullptr;
    ~Keeper() { delete scope; }
};

}  // namespace

TEST_CASE("a full collection ends also what destructors of the running collection condemn") {
    Bench bench(1us);
    Handle<Leaf> kept;
    perfloc::Scope outer{"outer"};
    {
        perfloc::Scope scope{"large"};
        bench[0] = leaves();
        const Handle<Keeper> keeper = perfloc::make<Keeper>();
        keeper->scope = new perfloc::DetachedScope(bench.heap, "detached");
        for (std::size_t i = 0; i < kLeaves; ++i) {
            kept = keeper->scope->make_raw<Leaf>(kept.get(), i);
        }
    }
    REQUIRE(bench.run_to("destroy"));
    outer.trim();  // overdue from now on
    bench.heap.collect_full();
    CHECK(inspect::core().first_condemned == nullptr);
    CHECK(length(kept.get()) == kLeaves);
    CHECK(length(bench[0]) == kLeaves);
    CHECK(bench.heap.verify().ok());
    kept = {};
}

TEST_CASE("the collection of what has just ended comes before that of open scopes, though they are overdue") {
    Bench bench(1us);
    perfloc::Scope outer{"outer"};
    outer.trim();  // overdue from now on; but nothing has passed them over yet
    end_one(bench, 0);
    REQUIRE(bench.phase() != "idle");
    CHECK_FALSE(collection().pressure);
    end_one(bench, 1);
    end_cycle(bench);
    CHECK_FALSE(collection().pressure);
    bench.step();
    REQUIRE(bench.phase() != "idle");
    CHECK(collection().pressure);  // now they have been
    settle_chains(bench, 1, {kLeaves, kLeaves});
}

TEST_CASE("a program that outruns the collector's thread does its work at polls") {
    perfloc::Heap heap({.reserve = std::size_t{4} << 30, .limit = std::size_t{4} << 30});
    perfloc::Mutator me(heap);
    const Handle<Leaf> last = perfloc::make<Leaf>();
    const auto assists = [&] { return heap.stats().pauses(perfloc::PauseCause::assist).count(); };
    const auto until = std::chrono::steady_clock::now() + 60s;
    std::size_t n = 0;
    while (assists() == 0 && std::chrono::steady_clock::now() < until) {
        for (std::size_t i = 0; i < kLeaves; ++i, ++n) last->other = perfloc::make_raw<Leaf>(last->other.get(), n);
        if (n > 20'000'000) {  // as long as the limit allows: from the beginning
            last->other = nullptr;
            n = 0;
        }
        perfloc::poll();
    }
    CHECK(assists() > 0);
    REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
    std::size_t left = n;
    bool intact = true;
    for (const Leaf* leaf = last->other; leaf != nullptr; leaf = leaf->other) intact = intact && leaf->value == --left;
    CHECK(intact);
    CHECK(left == 0);
    CHECK(heap.verify().ok());
}

// An adversary's reading found that their ends took a pause of 25 to 50 ns a handle.
TEST_CASE("a small scope with many handles to what is in it is collected beside the program") {
    const int kind = GENERATE(0, 1, 2, 3);
    const bool many = GENERATE(false, true);
    Bench bench(100us);
    const std::size_t n = many ? 4000 : 100;
    std::vector<Handle<Leaf>> handles;
    std::vector<perfloc::WeakHandle<Leaf>> weak;
    std::vector<perfloc::GlobalHandle<Leaf>> globals;
    std::vector<perfloc::GlobalWeakHandle<Leaf>> weak_globals;
    perfloc::Scope scope{"small"};
    Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, 0u);
    bench[0] = leaf;
    for (std::size_t i = 0; i < n; ++i) {
        if (kind == 0) handles.emplace_back(leaf);
        if (kind == 1) weak.emplace_back(leaf);
        if (kind == 2) globals.emplace_back(leaf);
        if (kind == 3) weak_globals.emplace_back(leaf);
    }
    CHECK(scope.end().settled == !many);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    const Leaf* const now = bench[0].get();
    for (const auto& handle : handles) REQUIRE(handle.get() == now);
    for (const auto& handle : weak) REQUIRE(handle.lock().get() == now);
    for (const auto& handle : globals) REQUIRE(handle.lock().get() == now);
    for (const auto& handle : weak_globals) REQUIRE(handle.lock().get() == now);
    CHECK(bench.heap.verify().ok());
}

namespace {

/// Writes down that it is destroyed.
class Counted {
public:
    Counted() : number_(destroyed.size()) { destroyed.push_back(0); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { ++destroyed[number_]; }
    void trace(perfloc::Tracer&) const {}

    static inline std::vector<int> destroyed;
    static std::size_t once() { return static_cast<std::size_t>(std::count(destroyed.begin(), destroyed.end(), 1)); }

private:
    std::size_t number_;
};

}  // namespace

// An adversary's reading found that it was one item of work: 16 ns an element.
TEST_CASE("the elements of a dead array are destroyed in several slices, each once") {
    constexpr std::size_t kElements = 20'000;
    Counted::destroyed.clear();
    Bench bench(100us);
    {
        perfloc::Scope scope{"array"};
        bench[0] = perfloc::make_raw<Leaf>(nullptr, 0u);
        for (int i = 0; i < 2; ++i) perfloc::make_raw_array<Counted>(kElements);
        CHECK_FALSE(scope.end().settled);
    }
    REQUIRE(bench.run_to("destroy"));
    bench.step();
    CHECK(Counted::once() > 0);
    CHECK(Counted::once() < 1000);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(Counted::destroyed.size() == 2 * kElements);
    CHECK(Counted::once() == 2 * kElements);
}

TEST_CASE("each scope that is asked to be trimmed is, in the order in which they were asked") {
    Bench bench(100us);
    perfloc::Scope outer{"outer"};
    perfloc::DetachedScope a(bench.heap, "a"), b(bench.heap, "b");
    for (perfloc::DetachedScope* const scope : {&a, &b}) {
        for (int i = 0; i < 20000; ++i) scope->make_raw<Leaf>(nullptr, 1u);
    }
    const perfloc::Bytes before = bench.heap.stats().used_bytes();
    a.trim();
    b.trim();
    a.trim();
    {
        perfloc::Scope ended{"ended"};
        ended.trim();
    }
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(bench.heap.stats().scope_collections() == 2);
    CHECK(bench.heap.stats().used_bytes() < before / 4);
    // More than anyone should ask for: all that is open, in one.
    std::vector<std::unique_ptr<perfloc::DetachedScope>> many;
    for (int i = 0; i < 100; ++i)
        many.push_back(std::make_unique<perfloc::DetachedScope>(bench.heap, perfloc::Label("many")));
    for (const auto& scope : many) scope->trim();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(bench.heap.stats().scope_collections() <= 2 + 100 - 64);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("the poll in which a collection ends begins that of what waits for a poll") {
    Bench bench(100us, 256 << 20, 0.01);
    int seen = 0;
    for (int round = 0; round < 10; ++round) {
        perfloc::DetachedScope target(bench.heap, "target"), source(bench.heap, "source");
        Leaf* const held = target.make_raw<Leaf>(nullptr, 1u);
        source.make_raw<Leaf>(held, 2u);  // raw pointers out of it may be older than it
        for (std::size_t i = 0; i < kLeaves; ++i) source.make_raw<Leaf>(nullptr, i);
        const Handle<Leaf> survivor = source.make<Leaf>();
        {
            perfloc::Scope scope{"large"};
            for (std::size_t i = 0; i < 20 * kLeaves; ++i) perfloc::make_raw<Leaf>(nullptr, i);
            bench[0] = leaves();
        }
        source.end();
        if (bench.phase() == "idle" || collection().waiting == 0) continue;
        const std::uint64_t before = bench.heap.stats().scope_collections();
        for (int polls = 0; bench.heap.stats().scope_collections() == before; ++polls) {
            REQUIRE(polls < 1'000'000);
            bench.me.poll();
        }
        if (collection().waiting == 0 && bench.phase() == "idle") continue;
        ++seen;
        CHECK(bench.phase() != "idle");
        CHECK(collection().waiting == 0);
        REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
        target.end();
    }
    CHECK(seen > 0);
    CHECK(bench.heap.verify().ok());
}
