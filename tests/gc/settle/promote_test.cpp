#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

using namespace perfloc;
using namespace perfloc::literals;
using objects::Leaf;
using objects::Node;

namespace {

struct Bench {
    Heap heap{[] {
        Options options = objects::small();
        options.pauses.max = std::chrono::seconds(10);  // everything fits the budget
        return options;
    }()};
    Mutator me{heap};
};

}  // namespace

TEST_CASE("a small scope's survivors are copied out in the caller, in one pause") {
    Bench bench;
    auto outer = make<Node>();
    {
        Scope scope{"small"};
        outer->left = objects::chain(10);
        for (int i = 0; i < 90; ++i) make_raw<Node>();
        const ScopeReport report = scope.end();
        CHECK(report.allocated_bytes == 3200);
        CHECK(report.promoted_bytes == 320);
        CHECK(report.released_bytes == 2880);
        CHECK(report.pause > std::chrono::nanoseconds(0));
    }
    CHECK(objects::length(outer->left) == 10);
    const Stats stats = bench.heap.stats();
    CHECK(stats.promotions() == 1);
    CHECK(stats.scope_collections() == 0);
    CHECK(stats.promoted_bytes() == 320);
    CHECK(stats.pauses(PauseCause::promotion).count() == 1);
}

TEST_CASE("shared objects and cycles are copied once") {
    Bench bench;
    auto outer = make<Node>();
    {
        Scope scope{"cycle"};
        Node* const a = make_raw<Node>(nullptr, nullptr, 1);
        Node* const b = make_raw<Node>(a, nullptr, 2);
        a->left = b;
        a->right = a;
        b->right = make_raw<Node>(a, b, 3);
        outer->left = a;
        outer->right = b;
        CHECK(scope.end().promoted_bytes == 96);
    }
    Node* const a = outer->left;
    Node* const b = outer->right;
    CHECK(a->left == b);
    CHECK(a->right == a);
    CHECK(b->left == a);
    CHECK(b->right->left == a);
    CHECK(b->right->right == b);
    CHECK(b->right->value == 3);
}

TEST_CASE("a chain of a hundred thousand objects is promoted without recursion") {
    Bench bench;
    auto outer = make<Node>();
    {
        Scope scope{"long"};
        outer->left = objects::chain(100'000);
    }
    CHECK(objects::length(outer->left) == 100'000);
}

TEST_CASE("all handles to a survivor follow it, local, weak and global") {
    Bench bench;
    Handle<Node> a, b;
    WeakHandle<Node> weak, gone;
    GlobalWeakHandle<Node> global_weak;
    {
        Scope scope{"handles"};
        a = make<Node>(nullptr, nullptr, 5);
        b = a;
        weak = WeakHandle<Node>(a);
        global_weak = GlobalWeakHandle<Node>(a);
        gone = WeakHandle<Node>(make<Node>());
    }
    CHECK(a == b);
    CHECK(a->value == 5);
    CHECK(weak.lock() == a);
    CHECK(global_weak.lock() == a);
    CHECK(gone.expired());
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a promoted object's storage behind it goes along") {
    Bench bench;
    Handle<Leaf> text;
    {
        Scope scope{"text"};
        text = make_raw<Leaf>(ExtraBytes{100}, 100);
        std::memset(reinterpret_cast<char*>(text.get() + 1), 'x', 100);
    }
    for (int i = 0; i < 100; ++i) REQUIRE(reinterpret_cast<char*>(text.get() + 1)[i] == 'x');
    CHECK(text->value == 100);
}

TEST_CASE("references of a promoted object to scopes that it has left are recorded") {
    Bench bench;
    Scope a{"a"};
    auto in_a = make<Node>();
    Scope b{"b"};
    auto in_b = make<Node>(nullptr, nullptr, 8);
    {
        Scope c{"c"};
        in_a->left = make_raw<Node>(in_b);  // goes to a, and refers inward to b from there
    }
    in_b.reset();
    CHECK(bench.heap.verify().ok());
    b.end();
    CHECK(in_a->left->left->value == 8);
    CHECK(inspect::scope(in_a->left->left) == "a");
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a scope that is ended after a keep() inside it is settled with all that was merged into it") {
    Bench bench;
    Handle<Node> list;
    {
        Scope outer{"outer"};
        {
            Scope inner{"inner"};
            list = objects::chain(50'000);  // more spans than are stamped at once
            inner.keep();
        }
        CHECK(inspect::scope(list.get()) == "outer");
        CHECK(bench.heap.verify().ok());
    }
    CHECK(objects::length(list.get()) == 50'000);
    CHECK(bench.heap.verify().ok());
}
