#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace perfloc;
using objects::Leaf;
using objects::Node;

static_assert(std::is_nothrow_move_constructible_v<Handle<Node>>);
static_assert(std::is_copy_constructible_v<Handle<Node>>);
static_assert(!std::is_constructible_v<Handle<Node>, Leaf*>);
static_assert(!std::is_constructible_v<Handle<Node>, Handle<const Node>>);
static_assert(std::is_constructible_v<Handle<const Node>, Handle<Node>>);
static_assert(sizeof(Handle<Node>) == 4 * sizeof(void*));

namespace {

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};

    /// Everything moves and dies that may.
    void churn() {
        for (int i = 0; i < 20'000; ++i) make_raw<Node>();
        heap.collect_full();
        REQUIRE(heap.verify().ok());
    }
};

Handle<Node> returned_by_value(int depth) {
    if (depth == 0) return make<Node>(nullptr, nullptr, 0);
    Scope scope{"returns"};
    return make<Node>(returned_by_value(depth - 1), nullptr, depth);
}

}  // namespace

TEST_CASE("a handle is null by default, and after a reset") {
    Bench bench;
    Handle<Node> handle;
    CHECK(handle == nullptr);
    CHECK_FALSE(handle);
    CHECK(handle.get() == nullptr);
    handle = make<Node>();
    CHECK(handle);
    handle.reset();
    CHECK(handle == nullptr);
    handle.reset();
    CHECK(Handle<Node>(nullptr) == nullptr);
    CHECK(Handle<Node>(static_cast<Node*>(nullptr)) == nullptr);
}

TEST_CASE("a handle is made from a pointer or a Ref, and keeps its object alive") {
    Bench bench;
    auto parent = make<Node>(make_raw<Node>(nullptr, nullptr, 4));
    Handle<Node> from_ref = parent->left;
    Handle from_pointer = make_raw<Node>(nullptr, nullptr, 5);
    Handle<Node> assigned;
    assigned = parent->left;
    CHECK(assigned == from_ref);
    assigned = make_raw<Node>(nullptr, nullptr, 6);
    parent->left = nullptr;
    bench.churn();
    CHECK(from_ref->value == 4);
    CHECK((*from_pointer).value == 5);
    CHECK(assigned->value == 6);
}

TEST_CASE("copies name the same object, and each keeps it alive by itself") {
    Bench bench;
    auto a = make<Node>(nullptr, nullptr, 1);
    auto b = a;
    Handle<Node> c;
    c = b;
    CHECK(a == b);
    CHECK(b == c);
    CHECK(a == a.get());
    a.reset();
    b = nullptr;
    bench.churn();
    CHECK(c->value == 1);
    c = *&c;
    CHECK(c->value == 1);
}

TEST_CASE("a handle that was moved from is null") {
    Bench bench;
    auto a = make<Node>(nullptr, nullptr, 1);
    Handle<Node> b(std::move(a));
    CHECK(a == nullptr);
    CHECK(b->value == 1);
    Handle<Node> c = make<Node>();
    c = std::move(b);
    CHECK(b == nullptr);
    CHECK(c->value == 1);
    Handle<Node>& same = c;
    c = std::move(same);
    CHECK(c->value == 1);
    std::swap(a, c);
    CHECK(a->value == 1);
    bench.churn();
    CHECK(a->value == 1);
}

TEST_CASE("handles may be kept in containers") {
    Bench bench;
    std::vector<Handle<Node>> vector;
    std::map<int, Handle<Node>> map;
    std::unordered_map<int, Handle<Node>> table;
    std::deque<Handle<Node>> deque;
    for (int i = 0; i < 300; ++i) {
        Scope scope{"container"};
        auto node = make<Node>(nullptr, nullptr, i);
        vector.push_back(node);
        vector.insert(vector.begin(), node);
        map[i] = node;
        table.emplace(i, node);
        deque.push_front(node);
    }
    vector.erase(vector.begin() + 5, vector.begin() + 100);
    bench.churn();
    CHECK(vector.size() == 505);
    CHECK(vector.front()->value == 299);
    CHECK(vector.back()->value == 299);
    for (int i = 0; i < 300; ++i) {
        REQUIRE(map[i]->value == i);
        REQUIRE(table[i] == map[i]);
        REQUIRE(deque[static_cast<std::size_t>(299 - i)] == map[i]);
    }
}

TEST_CASE("handles returned by value through scopes leave nothing behind") {
    Bench bench;
    auto list = returned_by_value(200);
    CHECK(objects::length(list.get()) == 201);
    CHECK(list->value == 200);
    bench.churn();
    CHECK(objects::length(list.get()) == 201);
    list.reset();
    bench.heap.collect_full();
    CHECK(bench.heap.stats().last_full().live_objects == 0);
}

TEST_CASE("a weak handle follows its object and does not keep it alive") {
    Bench bench;
    WeakHandle<Node> never;
    CHECK(never.expired());
    CHECK(never.lock() == nullptr);
    auto strong = make<Node>(nullptr, nullptr, 2);
    WeakHandle weak = strong;
    WeakHandle<Node> copy = weak;
    WeakHandle<Node> assigned;
    assigned = weak;
    WeakHandle<Node> moved(std::move(copy));
    CHECK(copy.expired());
    bench.churn();
    CHECK(weak.lock() == strong);
    CHECK(moved.lock()->value == 2);
    assigned = std::move(moved);
    CHECK(assigned.lock() == strong);
    auto locked = weak.lock();
    strong.reset();
    bench.churn();
    CHECK_FALSE(weak.expired());
    locked.reset();
    bench.churn();
    CHECK(weak.expired());
    CHECK(assigned.lock() == nullptr);
    weak.reset();
    CHECK(weak.lock() == nullptr);
}

TEST_CASE("a weak handle to an object of an ended scope is null, or follows what was promoted") {
    Bench bench;
    WeakHandle<Node> dead, alive;
    auto outer = make<Node>();
    {
        Scope scope{"scope"};
        dead = WeakHandle<Node>(make_raw<Node>());
        outer->left = make_raw<Node>(nullptr, nullptr, 3);
        alive = WeakHandle<Node>(outer->left.get());
    }
    CHECK(dead.expired());
    CHECK(alive.lock() == outer->left.get());
}

TEST_CASE("a global handle keeps its object alive, in the root scope once its own has ended") {
    Bench bench;
    GlobalHandle<Node> global;
    CHECK_FALSE(global);
    {
        Scope scope{"scope"};
        global = GlobalHandle(make<Node>(make_raw<Node>(nullptr, nullptr, 8), nullptr, 7));
    }
    bench.churn();
    CHECK(global->value == 7);
    CHECK((*global).left->value == 8);
    CHECK(inspect::scope(global.get()) == "(root)");
    CHECK(global.lock()->value == 7);
    auto parent = make<Node>(global);
    CHECK(parent->left == global.get());
}

TEST_CASE("another thread may copy, move, drop and keep a global handle") {
    Bench bench;
    GlobalHandle<Node> global(make<Node>(nullptr, nullptr, 1));
    GlobalHandle<Node> second(make<Node>(nullptr, nullptr, 2));
    GlobalHandle<Node> taken;
    std::thread([&] {
        GlobalHandle<Node> copy = global;
        GlobalHandle<Node> moved = std::move(copy);
        std::vector<GlobalHandle<Node>> many(100, moved);
        taken = moved;
        second.reset();
        global = GlobalHandle<Node>();
    }).join();
    bench.churn();
    CHECK(bench.heap.stats().last_full().live_objects == 1);
    CHECK_FALSE(global);
    CHECK_FALSE(second);
    CHECK(taken->value == 1);
}

TEST_CASE("a global weak handle is cleared when its object dies") {
    Bench bench;
    auto node = make<Node>(nullptr, nullptr, 1);
    GlobalWeakHandle<Node> weak(node);
    GlobalWeakHandle<Node> copy = weak;
    bench.churn();
    CHECK(weak.lock() == node);
    CHECK(copy.lock() == node);
    node.reset();
    bench.churn();
    CHECK(weak.lock() == nullptr);
    CHECK_FALSE(copy);
}

TEST_CASE("an object under a Pin does not move while any Pin of it lives") {
    Bench bench;
    for (int i = 0; i < 30'000; ++i) make_raw<Node>();
    auto node = make<Node>(nullptr, nullptr, 1);
    for (int i = 0; i < 30'000; ++i) make_raw<Node>();
    const Node* const place = node.get();
    std::optional<Pin<Node>> copy;
    {
        Pin<Node> pin(node);
        copy = pin;
        Pin<Node> moved(std::move(pin));
        CHECK(moved->value == 1);
        CHECK((*moved).value == 1);
        CHECK(moved.handle() == node);
        bench.churn();
        CHECK(node.get() == place);
    }
    bench.churn();
    CHECK(node.get() == place);
    Pin<Node> other(make_raw<Node>());
    *copy = other;  // the first one is pinned no more
    bench.churn();
    CHECK(node.get() != place);
    CHECK(node->value == 1);
    CHECK(inspect::span(other.get()).pins == 2);
}
