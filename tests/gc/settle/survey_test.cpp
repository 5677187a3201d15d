#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"
#include "gc/policy/scope_end_policy.hpp"

#include <perfloc/testing.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

using namespace perfloc;
using namespace perfloc::literals;
using namespace std::chrono_literals;
using objects::Leaf;
using objects::Node;

// Of what is too large to be copied whole, what survives may still be little.
namespace {

struct Bench {
    explicit Bench(std::chrono::nanoseconds budget = 100us)
        : heap({.reserve = 1_GiB, .limit = 256_MiB, .pauses = {.max = budget}, .collector_thread = false}) {}

    Heap heap;
    Mutator me{heap};

    std::uint64_t promotions() const { return heap.stats().promotions(); }
    void check() {
        const VerifyReport verdict = heap.verify();
        INFO((verdict.ok() ? "" : verdict.violations.front()));
        CHECK(verdict.ok());
    }
};

constexpr std::size_t kMany = 100'000;  // objects, of which to copy all takes longer than the budget

constexpr std::size_t kSwept = 10'000;  // of which to copy all does too, but not to sweep what died

void fill(std::size_t nodes = kMany) {
    for (std::size_t i = 0; i < nodes; ++i) make_raw<Node>();
}

}  // namespace

TEST_CASE("little survives of a large scope: it is promoted in the end of the scope") {
    Bench bench;
    auto outer = make<Node>();
    Handle<Node> held;
    WeakHandle<Node> weak, dead;
    Scope scope{"large"};
    fill();
    outer->left = objects::chain(10);
    fill();
    held = make<Node>(outer->left.get(), nullptr, 7);
    held->right = held.get();
    weak = held;
    dead = WeakHandle<Node>(make_raw<Node>());
    const ScopeReport report = scope.end();
    CHECK(report.settled);
    CHECK(report.promoted_bytes == 11 * 32);
    CHECK(report.allocated_bytes == (2 * kMany + 12) * 32);
    CHECK(report.released_bytes == report.allocated_bytes - report.promoted_bytes);
    CHECK(report.pause > 0ns);
    CHECK(bench.promotions() == 1);
    CHECK(bench.heap.stats().scope_collections() == 0);
    CHECK(objects::length(outer->left) == 10);
    CHECK(held->left.get() == outer->left.get());
    CHECK(held->right.get() == held.get());
    CHECK(weak.lock().get() == held.get());
    CHECK(dead.expired());
    CHECK(bench.heap.stats().used_bytes() < 1_MiB);
    bench.check();
}

TEST_CASE("where much survives of a large scope, its end gives up and condemns it") {
    Bench bench;
    auto outer = make<Node>();
    Scope scope{"large"};
    fill();
    outer->left = objects::chain(1000);
    CHECK_FALSE(scope.end().settled);
    CHECK(bench.promotions() == 0);
    CHECK(objects::length(outer->left) == 1000);
    bench.check();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(objects::length(outer->left) == 1000);
    bench.check();
}

TEST_CASE("many roots, and what must stay where it is, are given up too") {
    Bench bench;
    auto table = make_array<Ref<Node>>(5000);
    std::vector<Handle<Node>> handles;
    Handle<Node> pinned;
    Handle<Array<char>> large;
    std::optional<Pin<Node>> pin;
    Scope scope{"large"};
    fill();
    SECTION("slots") {
        Node* const one = make_raw<Node>();
        for (std::size_t i = 0; i < 5000; ++i) (*table)[i] = one;
    }
    SECTION("handles") {
        const Handle<Node> one = make<Node>();
        handles.assign(5000, one);
    }
    SECTION("a pin") {
        pinned = make<Node>();
        pin.emplace(pinned);
    }
    SECTION("a large object") { large = make_array<char>(100'000); }
    CHECK_FALSE(scope.end().settled);
    CHECK(bench.promotions() == 0);
    bench.check();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    bench.check();
}

TEST_CASE("a large scope's dead large and pinned objects do not keep it from its promotion") {
    Bench bench;
    auto outer = make<Node>();
    Scope scope{"large"};
    fill();
    make_array<char>(100'000);
    {
        const Handle<Node> dead = make<Node>();
        const Pin<Node> pin(dead);
    }
    outer->left = make<Node>(nullptr, nullptr, 5);
    CHECK(scope.end().settled);
    CHECK(outer->left->value == 5);
    CHECK(bench.promotions() == 1);
    bench.check();
}

TEST_CASE("where little survives of a scope with destructors, or must stay, its end sweeps it") {
    std::vector<int> log;
    Bench bench;
    auto outer = make<objects::Mortal>(log, 0);
    auto table = make<Node>();
    Handle<objects::Named> named;
    const objects::Named* where = nullptr;
    Scope scope{"swept"};
    fill(kSwept);
    make_raw<objects::Mortal>(log, 1);
    outer->refer_to(make_raw<objects::Mortal>(log, 2));
    make_raw<objects::Mortal>(log, 3);
    table->left = objects::chain(10);
    SECTION("which dies") {}
    SECTION("which stays") {
        named = make<objects::Named>("pinned by its type");
        where = named.get();
    }
    const ScopeReport report = scope.end();
    CHECK(report.settled);
    CHECK(log == std::vector{3, 1});
    CHECK(inspect::core().collection.counts.few_survived == 1);
    CHECK(inspect::core().collection.counts.condemned == 0);
    CHECK(bench.heap.stats().scope_collections() == 1);
    CHECK(bench.promotions() == 0);
    CHECK(outer->next()->name() == 2);
    CHECK(objects::length(table->left) == 10);
    CHECK(named.get() == where);
    CHECK((where == nullptr || where->name() == "pinned by its type"));
    CHECK(bench.heap.stats().used_bytes() < 1_MiB);
    bench.check();
}

namespace {

/// Its destructor ends a scope of which little survives, and in which a destructor runs.
struct Ends {
    bool* settled = nullptr;
    ~Ends() {
        if (settled == nullptr) return;
        Handle<Node> survives;
        Scope scope{"in a destructor"};
        fill(kSwept);
        make_raw<Ends>(nullptr);
        survives = make<Node>();
        *settled = scope.end().settled;
    }
};

}  // namespace

TEST_CASE("the end of a large scope in a destructor is not looked at: a collection is under way") {
    Bench bench;
    bool settled = true;
    {
        Scope scope{"outer"};
        make_raw<Ends>(&settled);
    }
    CHECK_FALSE(settled);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    bench.check();
}

TEST_CASE("a scope with more destructors than fit is condemned") {
    std::vector<int> log;
    Bench bench;
    auto outer = make<objects::Mortal>(log, 0);
    Scope scope{"destructors"};
    for (int i = 1; i <= 1000; ++i) outer->refer_to(make_raw<objects::Mortal>(log, i));
    CHECK_FALSE(scope.end().settled);
    CHECK(inspect::core().collection.counts.few_survived == 0);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(log.size() == 999);
    CHECK(outer->next()->name() == 1000);
    bench.check();
}

TEST_CASE("what survives goes where its referrers are, also while a collection goes on") {
    Bench bench;
    const bool collecting = GENERATE(false, true);
    auto outermost = make<Node>();
    Scope outer{"outer"};
    auto in_outer = make<Node>();
    if (collecting) {
        bench.heap.root().trim();
        REQUIRE(testing::run_to(bench.heap, "mark"));
    }
    Scope scope{"large"};
    {
        const NoPause no_slice;  // when it takes memory
        fill();
    }
    outermost->left = objects::chain(3);
    in_outer->left = make<Node>(outermost->left.get(), in_outer.get(), 1);
    CHECK(testing::phase(bench.heap) == (collecting ? "mark" : "idle"));
    CHECK(scope.end().settled);
    CHECK(inspect::scope(outermost->left.get()) == inspect::scope(outermost.get()));
    CHECK(inspect::scope(in_outer->left.get()) == "outer");
    CHECK(in_outer->left->right.get() == in_outer.get());
    CHECK(objects::length(outermost->left) == 3);
    bench.check();
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(objects::length(outermost->left) == 3);
    CHECK(in_outer->left->left.get() == outermost->left.get());
    bench.check();
}

TEST_CASE("after surveys in vain the next scopes of the label are not looked at") {
    Bench bench;
    auto outer = make<Node>();
    const auto end_one = [&](int survivors) {
        Scope scope{"large"};
        fill();
        outer->left = objects::chain(survivors);
        const bool settled = scope.end().settled;
        bench.me.collect_until(std::chrono::steady_clock::now() + 60s);
        return settled;
    };
    CHECK(end_one(1));
    CHECK_FALSE(end_one(1000));
    CHECK_FALSE(end_one(1));  // not looked at
    CHECK(end_one(1));
    CHECK(end_one(1));
}

TEST_CASE("surveys in vain become rarer, down to one in 64 ends") {
    detail::Surveys surveys;
    for (const unsigned every : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 64u}) {
        for (unsigned i = 1; i < every; ++i) REQUIRE_FALSE(surveys.due());
        REQUIRE(surveys.due());
        surveys.found(false);
    }
    for (unsigned i = 1; i < 64; ++i) REQUIRE_FALSE(surveys.due());
    REQUIRE(surveys.due());
    surveys.found(true);
    CHECK(surveys.due());
}

TEST_CASE("few survivors are those that half of the budget promotes, at worst") {
    using gc::few_survive;
    CHECK(few_survive({}, 1us));
    CHECK(few_survive({.roots = 10, .objects = 100, .bytes = 10'000}, 100us));
    CHECK_FALSE(few_survive({.roots = 10, .objects = 100, .bytes = 10'000}, 20us));
    CHECK_FALSE(few_survive({.roots = 2000}, 100us));
    CHECK_FALSE(few_survive({.objects = 400}, 100us));
    CHECK_FALSE(few_survive({.bytes = 30'000}, 100us));
    CHECK_FALSE(few_survive({.roots = gc::most_roots(100us)}, 100us));
    CHECK(gc::sweep_at_once({.bytes = 500'000, .cleanups = 100}, 100us));
    CHECK_FALSE(gc::sweep_at_once({.bytes = 500'000, .cleanups = 100}, 20us));
    CHECK_FALSE(gc::sweep_at_once({.bytes = 2'000'000}, 100us));
    CHECK_FALSE(gc::sweep_at_once({.cleanups = 500}, 100us));
}
