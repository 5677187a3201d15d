#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <chrono>
#include <stdexcept>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

/// law [stale]: a slot whose owner died first is not used. Each case ends the scope "target" after the owner of a slot
/// that was recorded for it has died: nothing may be promoted, and what stands in the slot's place stays as it is.
namespace {

/// Pinned by its type, so that its span is adopted.
struct Fixed {
    Ref<Node> ref;
    std::string name;
};

class Throws {
public:
    explicit Throws(Node* node) : ref_(node) { throw std::runtime_error("no"); }
    void trace(Tracer& tracer) const { tracer(ref_); }

private:
    Ref<Node> ref_;
};

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};

    void nothing_survives(DetachedScope& target) {
        REQUIRE(heap.verify().ok());
        const ScopeReport report = target.end_and_wait(std::chrono::minutes(1));
        CHECK(report.promoted_bytes == 0);
        CHECK(report.released_bytes == report.allocated_bytes);
        CHECK(heap.verify().ok());
    }
};

}  // namespace

TEST_CASE("a slot whose owner's scope was released is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    {
        Scope owner{"owner"};
        make_raw<Node>(x);
        REQUIRE(inspect::recorded(x) == 1);
    }
    bench.nothing_survives(target);
}

TEST_CASE("a slot whose memory was used again for a number is not taken for a reference") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    for (int round = 0; round < 3; ++round) {
        Scope owner{"owner"};
        make_raw_array<Ref<Node>>(300, x);
    }
    inspect::drain_quarantine();
    Scope again{"owner"};  // runs in the same span
    auto numbers = make_array<std::uintptr_t>(500, reinterpret_cast<std::uintptr_t>(x));
    bench.nothing_survives(target);
    for (const std::uintptr_t number : *numbers) REQUIRE(number == reinterpret_cast<std::uintptr_t>(x));
}

TEST_CASE("a slot whose span went through the pool to another scope is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    {
        Scope owner{"owner of many spans"};
        for (int i = 0; i < 100; ++i) make_raw_array<Ref<Node>>(1000, x);
    }
    inspect::drain_quarantine();
    Scope other{"other"};
    std::vector<Handle<Array<std::uintptr_t>>> all;
    for (int i = 0; i < 100; ++i) all.push_back(make_array<std::uintptr_t>(1000, reinterpret_cast<std::uintptr_t>(x)));
    bench.nothing_survives(target);
    for (const auto& numbers : all) {
        for (const std::uintptr_t number : *numbers) REQUIRE(number == reinterpret_cast<std::uintptr_t>(x));
    }
}

TEST_CASE("a slot of a large object that was released is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    {
        Scope owner{"owner"};
        make_raw_array<Ref<Node>>(20'000, x);
    }
    bench.nothing_survives(target);
}

TEST_CASE("a slot whose owner's constructor threw is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    SECTION("in the current scope") { CHECK_THROWS_AS(make<Throws>(x), std::runtime_error); }
    SECTION("in the root scope") { CHECK_THROWS_AS(make_in<Throws>(bench.heap.root(), x), std::runtime_error); }
    REQUIRE(inspect::recorded(x) == 1);
    bench.nothing_survives(target);
}

TEST_CASE("a slot whose owner died in a span that was adopted is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>();
    Handle<Fixed> survivor;
    {
        Scope owner{"owner"};
        make_raw<Fixed>(x, "dead");
        survivor = make<Fixed>(nullptr, "survivor");
    }
    CHECK(survivor->name == "survivor");
    CHECK(inspect::span(survivor.get()).live_map);
    bench.nothing_survives(target);
}

TEST_CASE("a slot whose owner survived in a span that was adopted is used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>(nullptr, nullptr, 5);
    Handle<Fixed> survivor;
    {
        Scope owner{"owner"};
        make_raw<Fixed>(nullptr, "dead");
        survivor = make<Fixed>(x, "survivor");
    }
    CHECK(target.end().promoted_bytes > 0);
    CHECK(survivor->ref->value == 5);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a slot whose owner died in a full collection is not used") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    auto x = target.make<Node>();
    SECTION("alone in its span") { make_raw<Node>(x); }
    SECTION("among survivors that stay") {
        Handle<Node> list;
        for (int i = 0; i < 20'000; ++i) {
            list = make<Node>(list);
            if (i % 1000 == 0) make_raw<Node>(x);
        }
        bench.heap.collect_full();
        CHECK(inspect::recorded(x.get()) == 0);
        CHECK(objects::length(list.get()) == 20'000);
    }
    SECTION("among survivors that slide") {
        Handle<Node> list;
        for (int i = 0; i < 20'000; ++i) {
            if (i % 4 == 0) list = make<Node>(list);
            make_raw<Node>(x);
        }
        bench.heap.collect_full();
        CHECK(inspect::recorded(x.get()) == 0);
        CHECK(bench.heap.stats().last_full().spans_slid > 0);
        CHECK(objects::length(list.get()) == 5'000);
    }
    bench.heap.collect_full();
    x.reset();
    bench.nothing_survives(target);
}

TEST_CASE("a slot whose owner slid is used at its new place") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>(nullptr, nullptr, 77);
    Handle<Node> owner;
    for (int i = 0; i < 50'000; ++i) make_raw<Node>();
    owner = make<Node>(x);
    const Node* const before = owner.get();
    for (int i = 0; i < 50'000; ++i) make_raw<Node>();
    bench.heap.collect_full();
    CHECK(owner.get() != before);
    CHECK(target.end().promoted_bytes > 0);
    CHECK(owner->left->value == 77);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a slot that was promoted outward twice keeps what it refers to alive") {
    Bench bench;
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>(nullptr, nullptr, 9);
    Handle<Node> owner;
    {
        Scope outer{"outer"};
        auto holder = make<Node>();
        {
            Scope inner{"inner"};
            holder->left = make_raw<Node>(x);
        }
        owner = holder->left.get();
    }
    CHECK(target.end().promoted_bytes > 0);
    CHECK(owner->left->value == 9);
}

TEST_CASE("a slot that was given something else meanwhile keeps nothing alive") {
    Bench bench;
    auto outer = make<Node>();
    Scope target{"target"};
    outer->left = make_raw<Node>();
    outer->right = make_raw<Node>();
    outer->left = nullptr;
    outer->right = outer.get();
    CHECK(target.end().promoted_bytes == 0);
    CHECK(outer->left == nullptr);
    CHECK(outer->right == outer.get());
}

TEST_CASE("survivors go to the scope of their outermost referrer") {
    Bench bench;
    Scope a{"a"};
    auto in_a = make<Node>();
    Scope b{"b"};
    auto in_b = make<Node>();
    {
        Scope c{"c"};
        Node* const shared = make_raw<Node>(nullptr, nullptr, 1);
        Node* const only_b = make_raw<Node>(shared, nullptr, 2);
        in_b->left = only_b;
        in_a->left = shared;
        in_b->right = make_raw<Node>(nullptr, nullptr, 3);
    }
    CHECK(inspect::scope(in_a->left) == "a");
    CHECK(in_a->left->value == 1);
    CHECK(inspect::scope(in_b->left) == "b");
    CHECK(in_b->left->left == in_a->left);
    CHECK(inspect::scope(in_b->right) == "b");
    CHECK(bench.heap.verify().ok());
    b.end();
    CHECK(in_a->left->value == 1);
}

TEST_CASE("the order in which references are made does not change where survivors go") {
    Bench bench;
    for (const bool outer_first : {true, false}) {
        Scope a{"a"};
        auto in_a = make<Node>();
        Scope b{"b"};
        auto in_b = make<Node>();
        {
            Scope c{"c"};
            auto shared = make<Node>();
            auto handle_too = shared;
            if (outer_first) in_a->left = shared;
            in_b->left = shared;
            if (!outer_first) in_a->left = shared;
        }
        CHECK(inspect::scope(in_a->left) == "a");
        CHECK(in_b->left == in_a->left);
    }
}

TEST_CASE("a handle holds its object in the scope that encloses the ended one") {
    Bench bench;
    Scope a{"a"};
    Handle<Node> kept;
    {
        Scope b{"b"};
        Scope c{"c"};
        kept = make<Node>(nullptr, nullptr, 4);
        c.end();
        CHECK(inspect::scope(kept.get()) == "b");
    }
    CHECK(inspect::scope(kept.get()) == "a");
    CHECK(kept->value == 4);
}

TEST_CASE("a detached scope's survivors go to the current scope of the mutator whose handle holds them") {
    Bench bench;
    Scope current{"current"};
    DetachedScope detached(bench.heap, "detached");
    auto kept = detached.make<Node>(nullptr, nullptr, 4);
    detached.end();
    CHECK(inspect::scope(kept.get()) == "current");
    CHECK(kept->value == 4);
}

TEST_CASE("what two lineages refer to goes to the root scope") {
    Bench bench;
    DetachedScope one(bench.heap, "one");
    DetachedScope two(bench.heap, "two");
    auto in_one = one.make<Node>();
    auto in_two = two.make<Node>();
    DetachedScope target(bench.heap, "target");
    Node* const x = target.make_raw<Node>(nullptr, nullptr, 6);
    in_one->left = x;
    in_two->left = x;
    target.end();
    CHECK(in_one->left == in_two->left);
    CHECK(in_one->left->value == 6);
    CHECK(inspect::scope(in_one->left) == "(root)");
    one.end();
    two.end();
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("what the root scope refers to goes to the root scope, and a global handle counts as that") {
    Bench bench;
    auto shared = make_in<Node>(bench.heap.root());
    Scope scope{"scope"};
    shared->left = make_raw<Node>(nullptr, nullptr, 1);
    GlobalHandle<Node> global(make_raw<Node>(nullptr, nullptr, 2));
    scope.end();
    CHECK(inspect::scope(shared->left) == "(root)");
    CHECK(inspect::scope(global.get()) == "(root)");
    CHECK(global->value == 2);
    CHECK(bench.heap.verify().ok());
}
