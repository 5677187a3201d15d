#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <memory>
#include <thread>

using namespace perfloc;
using namespace perfloc::literals;
using namespace std::chrono_literals;
using objects::Node;

namespace {

struct Bench {
    explicit Bench(Collector collector = Collector::hinted) : heap(objects::small(collector)) {}
    Heap heap;
    Mutator me{heap};
};

constexpr Collector kAll[] = {Collector::hinted, Collector::full, Collector::none};

}  // namespace

TEST_CASE("detached scopes end in any order, and what they refer to in each other survives") {
    for (int order = 0; order < 6; ++order) {
        Bench bench;
        std::vector<std::unique_ptr<DetachedScope>> scopes;
        std::vector<Handle<Node>> nodes;
        for (int i = 0; i < 3; ++i) {
            scopes.push_back(std::make_unique<DetachedScope>(bench.heap, Label("bucket")));
            nodes.push_back(scopes.back()->make<Node>(nullptr, nullptr, i));
        }
        for (std::size_t i = 0; i < 3; ++i) {
            nodes[i]->left = nodes[(i + 1) % 3];
            nodes[i]->right = nodes[(i + 2) % 3];
        }
        auto first = nodes[0];
        nodes.clear();
        constexpr int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        for (const int which : orders[order]) {
            scopes[static_cast<std::size_t>(which)]->end();
            REQUIRE(bench.heap.verify().ok());
        }
        CHECK(first->left->value == 1);
        CHECK(first->left->left->value == 2);
        CHECK(first->left->left->left == first.get());
        CHECK(first->right->right->right == first.get());
    }
}

TEST_CASE("an entered scope is the innermost one for a while") {
    for (const Collector collector : kAll) {
        Bench bench(collector);
        DetachedScope detached(bench.heap, "detached");
        Handle<Node> inside, nested;
        {
            DetachedScope::Enter in(detached);
            inside = make<Node>(nullptr, nullptr, 1);
            Scope scope{"nested"};
            nested = make<Node>(inside, nullptr, 2);
        }
        auto outside = make<Node>(inside, nested);
        if (collector == Collector::hinted) {
            CHECK(inspect::scope(inside.get()) == "detached");
            CHECK(inspect::scope(nested.get()) == "detached");
            CHECK(inspect::scope(outside.get()) == "(mutator)");
        }
        const ScopeReport report = detached.end();
        CHECK(report.allocated_bytes >= 64);
        CHECK(report.promoted_bytes >= 64);
        CHECK(outside->right->left->value == 1);
        CHECK(bench.heap.verify().ok());
    }
}

TEST_CASE("scopes may be entered inside each other") {
    Bench bench;
    DetachedScope a(bench.heap, "a");
    DetachedScope b(bench.heap, "b");
    DetachedScope::Enter in_a(a);
    Node* const first = make_raw<Node>();
    {
        DetachedScope::Enter in_b(b);
        CHECK(inspect::scope(make_raw<Node>(first)) == "b");
    }
    CHECK(inspect::scope(make_raw<Node>()) == "a");
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("entering twice, or after the end, is refused with the scope's label") {
    for (const Collector collector : kAll) {
        Bench bench(collector);
        DetachedScope detached(bench.heap, "busy");
        {
            DetachedScope::Enter in(detached);
            CHECK_THROWS_AS(DetachedScope::Enter(detached), ScopeError);
            try {
                detached.end();
                FAIL("no error");
            } catch (const ScopeError& error) {
                CHECK(std::string(error.what()).find("busy") != std::string::npos);
            }
            CHECK_FALSE(detached.ended());
        }
        detached.end();
        CHECK(detached.ended());
        CHECK_THROWS_AS(detached.end(), ScopeError);
        CHECK_THROWS_AS(detached.end_and_wait(1s), ScopeError);
        CHECK_THROWS_AS(DetachedScope::Enter(detached), ScopeError);
        CHECK(make<Node>() != nullptr);
    }
}

TEST_CASE("a detached scope that goes out of its block ends") {
    Bench bench;
    std::vector<int> log;
    {
        DetachedScope detached(bench.heap, "automatic");
        detached.make<objects::Mortal>(log, 1);
    }
    CHECK(log == std::vector<int>{1});
}

TEST_CASE("a thread without a mutator can neither enter nor end a detached scope") {
    Bench bench;
    DetachedScope detached(bench.heap, "here");
    std::thread([&] {
        CHECK_THROWS_AS(detached.end(), ScopeError);
        CHECK_THROWS_AS(DetachedScope::Enter(detached), ScopeError);
    }).join();
    detached.make<Node>();
    CHECK(detached.end_and_wait(1s).constant_time);
}

TEST_CASE("a detached scope outlives the lexical scope that it was made in") {
    Bench bench;
    std::unique_ptr<DetachedScope> detached;
    Handle<Node> node;
    {
        Scope scope{"scope"};
        detached = std::make_unique<DetachedScope>(bench.heap, Label("detached"));
        auto local = make<Node>(nullptr, nullptr, 1);
        node = detached->make<Node>(local, nullptr, 2);
    }
    CHECK(node->left->value == 1);
    CHECK(inspect::scope(node->left) == "detached");
    detached->end();
    CHECK(node->left->value == 1);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("thousands of detached scopes, a few open at a time, need little memory") {
    Bench bench;
    std::vector<std::unique_ptr<DetachedScope>> open;
    for (int i = 0; i < 20'000; ++i) {
        if (open.size() == 50) open.erase(open.begin() + i * 7 % 50);
        open.push_back(std::make_unique<DetachedScope>(bench.heap, Label("request")));
        open.back()->make<Node>();
    }
    open.clear();
    if (!detail::kAsan) CHECK(bench.heap.stats().peak_committed_bytes() < 4_MiB);  // else it is in quarantine
    for (const LabelStats& label : bench.heap.stats().labels()) {
        if (label.name == "request") CHECK(label.ended == 20'000);
    }
}

TEST_CASE("end_and_wait() waits for as long as it is told, be that more than there is") {
    Bench bench;
    DetachedScope scope(bench.heap, "waits");
    auto kept = scope.make<Node>(nullptr, nullptr, 5);
    for (int i = 0; i < 20'000; ++i) kept->left = scope.make_raw<Node>(kept->left.get());
    const ScopeReport report = scope.end_and_wait(std::chrono::hours::max());
    CHECK(report.settled);
    CHECK(report.pause > 0ns);
    CHECK(kept->value == 5);
}
