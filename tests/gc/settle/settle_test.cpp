#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/graph.hpp"
#include "gc/inspect.hpp"

#include <chrono>
#include <cstring>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Named;
using objects::Node;

namespace {

struct Bench {
    explicit Bench(Options options = objects::small()) : heap(options) {}
    Heap heap;
    Mutator me{heap};
    void settle() { REQUIRE(me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1))); }
};

/// Whatever something may still name is collected beside the program at this budget.
Options no_inline() {
    Options options = objects::small();
    options.pauses.max = std::chrono::nanoseconds(1);
    return options;
}

}  // namespace

TEST_CASE("a survivor keeps its identity when its scope is collected beside the program") {
    Bench bench(no_inline());
    auto outer = make<Node>();
    const Node* before = nullptr;
    Handle<Node> handle;
    ScopeReport report;
    {
        Scope scope{"sparse"};
        for (int i = 0; i < 50; ++i) make_raw<Node>();
        Node* const x = make_raw<Node>(nullptr, nullptr, 42);
        x->left = x;  // a reference to itself, too
        outer->left = x;
        outer->right = make_raw<Node>(x);
        handle = x;
        before = x;
        report = scope.end();
    }
    CHECK_FALSE(report.settled);
    bench.settle();
    CHECK(outer->left == handle.get());
    CHECK(outer->left == before);  // a handle holds its span
    CHECK(outer->left->left == outer->left);
    CHECK(outer->right->left == outer->left);
    CHECK(handle->value == 42);
    CHECK(inspect::scope(handle.get()) == "(mutator)");
    CHECK(bench.heap.stats().promoted_bytes() == 64);
    CHECK_FALSE(report.constant_time);
    CHECK(bench.heap.stats().scope_collections() == 1);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a dense span is adopted in place") {
    Bench bench(no_inline());
    Handle<Node> list;
    std::vector<const Node*> places;
    {
        Scope scope{"dense"};
        list = objects::chain(20'000);
        for (const Node* node = list.get(); node != nullptr; node = node->left) places.push_back(node);
    }
    std::size_t moved = 0;
    std::size_t i = 0;
    for (const Node* node = list.get(); node != nullptr; node = node->left) moved += node != places[i++];
    CHECK(i == 20'000);
    if (!perfloc::detail::kAsan) CHECK(moved < 10'000);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("what is pinned by its type is adopted, and the dead beside it run their destructors") {
    Bench bench;
    std::vector<int> log;
    Handle<objects::Mortal> survivor;
    const objects::Mortal* before = nullptr;
    {
        Scope scope{"pinned"};
        make_raw<objects::Mortal>(log, 1);
        survivor = make<objects::Mortal>(log, 2);
        make_raw<objects::Mortal>(log, 3);
        before = survivor.get();
    }
    CHECK(survivor.get() == before);
    CHECK(log == std::vector<int>{3, 1});
    CHECK(inspect::span(before).live_map);
    CHECK(bench.heap.verify().ok());
    survivor.reset();
    bench.heap.collect_full();
    CHECK(log == std::vector<int>{3, 1, 2});
}

TEST_CASE("an object under a Pin stays where it is when its scope ends, and its neighbours are found") {
    Bench bench;
    auto outer = make<Node>();
    std::optional<Pin<Node>> pin;
    const Node* before = nullptr;
    {
        Scope scope{"pinned by a handle"};
        for (int i = 0; i < 40; ++i) make_raw<Node>();
        auto x = make<Node>(nullptr, nullptr, 11);
        outer->left = make_raw<Node>(x);
        pin.emplace(x);
        before = x.get();
    }
    CHECK(pin->get() == before);
    CHECK(outer->left->left == before);
    CHECK(before->value == 11);
    bench.heap.collect_full();
    CHECK(pin->get() == before);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a large object survives in place, with what it refers to") {
    Bench bench;
    Handle<Array<Ref<Node>>> large;
    const void* before = nullptr;
    {
        Scope scope{"large"};
        large = make_array<Ref<Node>>(10'000);
        for (std::size_t i = 0; i < 10'000; i += 10)
            (*large)[i] = make_raw<Node>(nullptr, nullptr, static_cast<int>(i));
        before = large.get();
        make_array<char>(1_MiB);
    }
    bench.settle();
    CHECK(large.get() == before);
    for (std::size_t i = 0; i < 10'000; i += 10) REQUIRE((*large)[i]->value == static_cast<int>(i));
    CHECK(inspect::scope((*large)[0]) == "(mutator)");
    CHECK(bench.heap.stats().used_bytes() < 1_MiB);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("references of adopted objects into scopes inside their new one are recorded") {
    Bench bench;
    Scope outer{"outer"};
    auto holder = make<Named>("holder");
    DetachedScope inner(bench.heap, "inner");
    Handle<Named> survivor;
    {
        DetachedScope target(bench.heap, "target");
        survivor = target.make<Named>("survivor", inner.make_raw<Named>("referred to"));
        target.end();
    }
    CHECK(bench.heap.verify().ok());
    inner.end();
    CHECK(survivor->next()->name() == "referred to");
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("weak handles to the dead are cleared before destructors run") {
    Bench bench;
    static WeakHandle<Node>* weak;
    static bool expired_in_destructor;
    struct Asks {
        Ref<Node> other;
        ~Asks() { expired_in_destructor = weak->expired() && weak->lock() == nullptr; }
    };
    WeakHandle<Node> to_dead;
    WeakHandle<Node> to_living;
    Handle<Node> living;
    weak = &to_dead;
    expired_in_destructor = false;
    {
        Scope scope{"scope"};
        auto dead = make<Node>();
        living = make<Node>(nullptr, nullptr, 3);
        to_dead = WeakHandle<Node>(dead);
        to_living = WeakHandle<Node>(living);
        make_with<Asks>([&] { return Asks{dead}; });
    }
    CHECK(expired_in_destructor);
    CHECK(to_dead.expired());
    CHECK(to_living.lock() == living);
    CHECK(to_living.lock()->value == 3);
}

TEST_CASE("a scope that ends at the memory limit keeps its survivors and throws nothing") {
    Options options = no_inline();
    options.limit = 8_MiB;
    Bench bench(options);
    std::vector<Handle<Node>> kept;
    {
        Scope scope{"full"};
        try {
            for (int i = 0;; ++i) {
                if (i % 100 == 0) {
                    kept.push_back(make<Node>(nullptr, nullptr, i));
                } else {
                    make_raw<Node>();
                }
            }
        } catch (const OutOfMemory&) {
        }
    }
    for (std::size_t i = 0; i < kept.size(); ++i) REQUIRE(kept[i]->value == static_cast<int>(i * 100));
    CHECK(kept.size() > 1000);
    CHECK(bench.heap.verify().ok());
    bench.heap.collect_full();
    for (std::size_t i = 0; i < kept.size(); ++i) REQUIRE(kept[i]->value == static_cast<int>(i * 100));
    CHECK(make<Node>() != nullptr);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("random graphs survive the end of their scope unchanged") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        Options options = seed % 2 == 0 ? no_inline() : objects::small();
        options.pauses.max = seed % 3 == 0 ? std::chrono::nanoseconds(1) : std::chrono::milliseconds(100);
        Bench bench(options);
        graph::Random random(seed);
        std::vector<Handle<graph::Cell>> roots;
        {
            Scope outer{"outer"};
            Scope inner{"inner"};
            graph::Shape shape{.cells = 3000,
                               .roots = static_cast<int>(1 + random.below(40)),
                               .extra = random.below(3) * 200,
                               .array = random.below(3) * 300,
                               .linked = 0.1 * static_cast<double>(1 + random.below(9))};
            roots = graph::make(random, shape);
            const graph::Copy before(roots);
            inner.end();
            CHECK(graph::Copy(roots) == before);
            REQUIRE(bench.heap.verify().ok());
            outer.end();
            CHECK(graph::Copy(roots) == before);
            REQUIRE(bench.heap.verify().ok());
        }
    }
}
