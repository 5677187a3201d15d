#include "support/catch.hpp"

#include "api/objects.hpp"

#include <thread>
#include "gc/inspect.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

namespace {

struct Bench {
    explicit Bench(Collector collector = Collector::hinted) : heap(objects::small(collector)) {}
    Heap heap;
    Mutator me{heap};

    LabelStats label(const std::string& name) const {
        for (const LabelStats& stats : heap.stats().labels()) {
            if (stats.name == name) return stats;
        }
        return {};
    }
};

std::string message(auto&& action) {
    try {
        action();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a scope that nothing outside names is released in constant time") {
    Bench bench;
    Scope scope{"scope"};
    for (int i = 0; i < 10'000; ++i) make_raw<Node>();
    const ScopeReport report = scope.end();
    CHECK(report.constant_time);
    CHECK(report.allocated_bytes == 320'000);
    CHECK(report.released_bytes == 320'000);
    CHECK(report.promoted_bytes == 0);
    CHECK(report.pause == std::chrono::nanoseconds(0));
    CHECK(bench.heap.stats().released_bytes() == 320'000);
    CHECK(bench.heap.stats().scopes_released() == 1);
}

TEST_CASE("the memory of a released scope is used again") {
    Bench bench;
    for (int i = 0; i < 300; ++i) {
        Scope scope{"scope"};
        make_raw_array<char>(20'000);
        make_raw_array<char>(1_MiB);
        for (int n = 0; n < 10'000; ++n) make_raw<Node>();
    }
    CHECK(bench.heap.stats().peak_committed_bytes() < 32_MiB);
}

TEST_CASE("keep() merges a scope into its parent where everything survives") {
    Bench bench;
    Scope outer{"outer"};
    Node* raw = nullptr;
    {
        Scope inner{"inner"};
        raw = objects::chain(100);
        inner.keep();
        const ScopeReport report = inner.end();
        CHECK(report.promoted_bytes == 3200);
        CHECK(report.released_bytes == 0);
    }
    CHECK(objects::length(raw) == 100);  // raw pointers into it stay valid
    CHECK(inspect::scope(raw) == "outer");
    CHECK(bench.label("inner").kept == 1);
    auto later = make<Node>(raw);
    CHECK(inspect::recorded(raw) == 0);
    CHECK(bench.heap.verify().ok());
    const ScopeReport report = outer.end();
    CHECK(report.promoted_bytes == 3232);
    CHECK(objects::length(later.get()) == 101);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a kept scope of any size merges, with destructors, handles and what others refer to") {
    Bench bench;
    std::vector<int> log;
    auto outermost = make<Node>();
    Handle<Node> handle;
    WeakHandle<objects::Mortal> weak;
    {
        Scope outer{"outer"};
        auto in_outer = make<Node>();
        for (int round = 0; round < 3; ++round) {
            Scope inner{"inner"};
            handle = objects::chain(30'000);
            in_outer->left = handle;
            outermost->left = handle->left;
            weak = WeakHandle<objects::Mortal>(make_raw<objects::Mortal>(log, round));
            make_raw_array<char>(100'000);
            inner.keep();
        }
        CHECK(log.empty());
        CHECK(weak.lock()->name() == 2);
        CHECK(bench.heap.verify().ok());
        CHECK(objects::length(in_outer->left) == 30'000);
    }
    bench.me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1));
    CHECK(log == std::vector<int>{2, 1, 0});
    CHECK(objects::length(handle.get()) == 30'000);
    CHECK(outermost->left == handle->left);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a kept scope is empty again for the next one") {
    Bench bench;
    for (int i = 0; i < 100; ++i) {
        Scope outer{"outer"};
        {
            Scope inner{"inner"};
            make_raw<Node>();
            if (i % 2 == 0) inner.keep();
        }
        {
            Scope inner{"inner"};
            make_raw<Node>();
            CHECK(inner.end().constant_time);
        }
    }
    CHECK(bench.label("inner").ended == 200);
    CHECK(bench.label("inner").kept == 50);
}

TEST_CASE("expect() gives the first span the size that was expected") {
    Bench bench;
    Scope scope{"expects"};
    scope.expect(100'000);
    Node* const node = make_raw<Node>();
    CHECK(inspect::span(node).pages * 4096 >= 100'000);
    scope.expect(200'000);  // too late, and harmless
    make_raw<Node>(node);
    CHECK(bench.heap.verify().ok());
    Scope inner{"expects little"};
    inner.expect(1);
    inner.expect(0);
    inner.expect(SIZE_MAX);
    CHECK(make_raw<Node>() != nullptr);
}

TEST_CASE("expect() before anything was made replaces a smaller first span") {
    Bench bench;
    {
        Scope scope{"small"};
        make_raw<Node>();
    }
    Scope scope{"small"};
    scope.expect(256_KiB);
    CHECK(inspect::span(make_raw<Node>()).pages == 64);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("expect() by another heap's mutator is refused") {
    Heap heap(objects::small()), other(objects::small());
    Mutator me(heap);
    Scope scope{"expects"};
    make_raw<Node>();
    std::thread([&] {
        Mutator theirs(other);
        CHECK_THROWS_AS(scope.expect(1_MiB), ScopeError);
    }).join();
    CHECK(make_raw<Node>() != nullptr);
    CHECK(heap.verify().ok());
}

TEST_CASE("ending a scope twice or out of order throws, names it, and the scope can still be ended") {
    for (const Collector collector : {Collector::hinted, Collector::full, Collector::none}) {
        Bench bench(collector);
        Scope outer{"the outer one"};
        Scope inner{"the inner one"};
        const std::string text = message([&] { outer.end(); });
        CHECK(text.find("the outer one") != text.npos);
        CHECK(text.find("the inner one") != text.npos);
        CHECK_THROWS_AS(outer.end(), ScopeError);
        make_raw<Node>();
        inner.end();
        CHECK_THROWS_AS(inner.end(), ScopeError);
        outer.end();
        CHECK_THROWS_AS(outer.end(), ScopeError);
        CHECK_THROWS_AS(outer.keep(), ScopeError);
        CHECK_THROWS_AS(outer.expect(1), ScopeError);
        CHECK(make<Node>() != nullptr);
        CHECK(bench.heap.verify().ok());
    }
}

TEST_CASE("a scope that is ended while a constructor of its object runs throws, and can be ended after") {
    static Scope* scope;
    static std::string text;
    class Ends {
    public:
        Ends() {
            text = message([] { scope->end(); });
        }
        void trace(Tracer& tracer) const { tracer(node_); }

    private:
        Ref<Node> node_;
    };
    Bench bench;
    Scope under{"under construction"};
    scope = &under;
    make_raw<Ends>();
    CHECK(text.find("under construction") != text.npos);
    CHECK(text.find("constructor") != text.npos);
    under.end();
}

TEST_CASE("the table of labels counts what scopes of each label did") {
    Bench bench;
    auto outer = make<Node>();
    for (int i = 0; i < 10; ++i) {
        Scope scope{"counted"};
        make_raw<Node>();
        if (i < 2) outer->left = make_raw<Node>(nullptr, nullptr, i);
    }
    const LabelStats stats = bench.label("counted");
    CHECK(stats.begun == 10);
    CHECK(stats.ended == 10);
    CHECK(stats.allocated_bytes == 12 * 32);
    CHECK(stats.promoted_bytes == 64);
    CHECK(stats.promoted_objects == 2);
    CHECK(stats.released_bytes == 8 * 32);
    CHECK(stats.escape_ratio() == Approx(64.0 / 384.0));
    CHECK(stats.too_narrow());
    Scope open{"counted"};
    CHECK(bench.label("counted").begun == 11);
    CHECK(bench.label("counted").ended == 10);
}

TEST_CASE("under the baseline the labels' table counts what was allocated in their names") {
    Bench bench(Collector::full);
    for (int i = 0; i < 10; ++i) {
        Scope scope{"nominal"};
        make_raw<Node>();
        Scope inner{"inner"};
        make_raw<Node>();
        CHECK(bench.label("nominal").begun == static_cast<std::uint64_t>(i + 1));
    }
    CHECK(bench.label("nominal").ended == 10);
    CHECK(bench.label("nominal").allocated_bytes == 640);
    CHECK(bench.label("inner").allocated_bytes == 320);
    CHECK(bench.label("inner").released_bytes == 0);
}

TEST_CASE("a scope without a label is named by its file and line") {
    Bench bench;
    const int line = __LINE__ + 2;
    for (int i = 0; i < 3; ++i) {
        Scope scope;
        make_raw<Node>();
    }
    const std::string name = "scope_test.cpp:" + std::to_string(line);
    CHECK(bench.label(name).ended == 3);
}

TEST_CASE("scopes nest deeply, and their memory comes back") {
    Bench bench;
    struct Nest {
        static void go(int depth, Node* outer) {
            if (depth == 0) return;
            Scope scope{"deep"};
            go(depth - 1, make_raw<Node>(outer));
        }
    };
    Nest::go(1500, nullptr);
    Nest::go(1500, nullptr);
    CHECK(bench.label("deep").ended == 3000);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("more scopes than the heap has room for are refused with their label, and the heap goes on") {
    Bench bench;
    std::vector<std::unique_ptr<DetachedScope>> all;
    std::string text;
    try {
        for (int i = 0; i < 10'000'000; ++i)
            all.push_back(std::make_unique<DetachedScope>(bench.heap, Label("one too many")));
    } catch (const OutOfMemory& error) {
        text = error.what();
    }
    CHECK(text.find("one too many") != text.npos);
    CHECK_THROWS_AS(Scope("refused"), OutOfMemory);
    all.clear();
    Scope scope{"accepted"};
    CHECK(make<Node>() != nullptr);
}

TEST_CASE("a scope of another label in the same place takes the memory of the last one") {
    Bench bench;
    for (int i = 0; i < 50; ++i) {
        Scope scope{i % 2 == 0 ? Label("even") : Label("odd")};
        make_raw<Node>();
    }
    CHECK(bench.label("even").ended == 25);
    CHECK(bench.label("odd").ended == 25);
    CHECK(bench.heap.verify().ok());
}
