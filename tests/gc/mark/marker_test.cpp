#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/graph.hpp"
#include "gc/mark/marker.hpp"
#include "runtime/heap_core.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Leaf;
using objects::Node;

namespace {

struct Comb {
    std::array<Ref<Leaf>, 500> teeth;
    Ref<Comb> next;
};

}  // namespace

TEST_CASE("when the mark stack is too small nothing is missed") {
    Heap heap({.reserve = 16_MiB, .limit = 16_MiB});
    Mutator me(heap);
    auto first = make<Comb>();
    Comb* last = first.get();
    constexpr int kCombs = 200;
    for (int i = 0; i < kCombs; ++i) {
        for (auto& tooth : last->teeth) tooth = make_raw<Leaf>(i);
        last->next = make_raw<Comb>();
        last = last->next;
    }
    for (int i = 0; i < 100'000; ++i) make_raw<Leaf>();
    const auto whole = [&] {
        int i = 0;
        for (const Comb* comb = first.get(); comb->next != nullptr; comb = comb->next, ++i) {
            for (const auto& tooth : comb->teeth) REQUIRE(tooth->value == i);
        }
        REQUIRE(i == kCombs);
    };
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == kCombs * 501 + 1);
    whole();
    CHECK(heap.verify().ok());
}

TEST_CASE("more roots than the mark stack has room for are all marked") {
    Options options{.reserve = 8_MiB};
    options.pauses.max = std::chrono::milliseconds(50);
    Heap heap(options);
    Mutator me(heap);
    const std::size_t room =
        detail::current_heap("the test").memory.area_committed(detail::Area::scratch) / sizeof(void*);
    const std::size_t n = room + 12'345;
    SECTION("handles, of a full collection") {
        std::vector<Handle<Leaf>> handles;
        for (std::size_t i = 0; i < n; ++i) handles.push_back(make<Leaf>(static_cast<std::int64_t>(i)));
        heap.collect_full();
        CHECK(heap.stats().last_full().live_objects == n);
        for (std::size_t i = 0; i < n; ++i) REQUIRE(handles[i]->value == static_cast<std::int64_t>(i));
        CHECK(heap.verify().ok());
    }
    SECTION("slots, at the end of a scope") {
        std::vector<int> log;
        auto table = make_array<Ref<Leaf>>(n);
        Scope scope{"many roots"};
        make_raw<objects::Mortal>(log, 1);  // it has a destructor: nothing is promoted inline
        for (std::size_t i = 0; i < n; ++i) (*table)[i] = make_raw<Leaf>(static_cast<std::int64_t>(i));
        const ScopeReport report = scope.end();
        CHECK(report.settled);
        CHECK(log == std::vector{1});
        for (std::size_t i = 0; i < n; ++i) REQUIRE((*table)[i]->value == static_cast<std::int64_t>(i));
        CHECK(heap.verify().ok());
    }
}

TEST_CASE("a long list is marked without recursion") {
    Heap heap(objects::small());
    Mutator me(heap);
    Handle<Node> list = objects::chain(500'000);
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 500'000);
    CHECK(objects::length(list.get()) == 500'000);
}

TEST_CASE("the marker breathes after few objects, however they are linked") {
    Heap heap(objects::small());
    Mutator me(heap);
    detail::HeapCore& core = detail::current_heap("the test");
    constexpr std::size_t kNodes = 20'000;
    auto nodes = make_array<Ref<Node>>(kNodes);
    for (auto& node : *nodes) node = make_raw<Node>();
    std::vector<std::size_t> order(kNodes);
    for (std::size_t i = 0; i < kNodes; ++i) order[i] = i;
    graph::Random random(5);
    const bool shuffled = GENERATE(false, true);
    const bool backwards = GENERATE(false, true);
    if (shuffled) {
        for (std::size_t i = kNodes; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    }
    if (backwards) std::reverse(order.begin(), order.end());
    for (std::size_t i = 1; i < kNodes; ++i) {
        (*nodes)[order[i - 1]]->left = (*nodes)[order[i]];
        (*nodes)[order[i]]->right = (*nodes)[order[i - std::min<std::size_t>(i, 9)]];
    }
    struct {
        bool contains(const void*) const { return true; }
        void marked(const void*, std::size_t) {}
    } all;
    gc::MarkBitmap marks(core.memory);
    gc::Marker marker(core, marks, all);
    marker.visit_root((*nodes)[order[0]].get());
    std::uint64_t before = 0, most = 0, breaths = 0;
    REQUIRE(marker.drain([&] {
        most = std::max(most, marker.objects() - std::exchange(before, marker.objects()));
        ++breaths;
    }));
    CHECK(marker.objects() == kNodes);
    CHECK(most <= 64);
    CHECK(breaths >= kNodes / 64);
    CHECK(breaths <= 2 * kNodes / 32);  // two references lead to each
}

TEST_CASE("an array of many references is marked in pieces, wholly") {
    Heap heap(objects::small());
    Mutator me(heap);
    constexpr std::size_t n = 100'001;
    auto array = make_array<Ref<Leaf>>(n);
    for (std::size_t i = 0; i < n; ++i) (*array)[i] = make_raw<Leaf>(static_cast<std::int64_t>(i));
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == n + 1);
    for (std::size_t i = 0; i < n; ++i) REQUIRE((*array)[i]->value == static_cast<std::int64_t>(i));
}

TEST_CASE("an array of structures that hold references is marked in pieces, wholly") {
    struct Pair {
        std::int64_t number;
        Ref<Leaf> a, b;
    };
    Heap heap(objects::small());
    Mutator me(heap);
    auto array = make_array<Pair>(2'000);
    for (auto& pair : *array) {
        pair.a = make_raw<Leaf>(1);
        pair.b = make_raw<Leaf>(2);
    }
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 4'001);
    for (auto& pair : *array) REQUIRE(pair.a->value + pair.b->value == 3);
}

TEST_CASE("objects of many references are looked at a piece at a time") {
    constexpr std::size_t kWide = 3000, kRefs = 2 * kWide;
    struct Wide {
        std::int64_t number;
        std::array<Ref<Leaf>, kWide> leaves;
        std::int64_t last;
    };
    struct Three {
        std::array<Ref<Leaf>, 3> leaves;
        std::int64_t number;
    };
    Heap heap(objects::small());
    Mutator me(heap);
    detail::HeapCore& core = detail::current_heap("the test");
    struct {
        std::size_t asked = 0;
        bool contains(const void*) { return ++asked != 0; }
        void marked(const void*, std::size_t) {}
    } all;
    gc::MarkBitmap marks(core.memory);
    gc::Marker marker(core, marks, all);
    const auto fill = [](auto& leaves) {
        for (auto& leaf : leaves) leaf = make_raw<Leaf>(1);
    };
    SECTION("an object") {
        const auto one = make<Wide>(), other = make<Wide>();
        fill(one->leaves);
        fill(other->leaves);
        marker.visit_root(one.get());
        marker.visit_root(other.get());
    }
    SECTION("an array of such") {
        const auto array = make_array<Wide>(2);
        for (Wide& wide : *array) fill(wide.leaves);
        marker.visit_root(array.get());
    }
    SECTION("an array of smaller ones") {
        const auto array = make_array<Three>(kRefs / 3);
        for (Three& three : *array) fill(three.leaves);
        marker.visit_root(array.get());
    }
    std::size_t before = all.asked, most = 0;
    REQUIRE(marker.drain([&] { most = std::max(most, all.asked - std::exchange(before, all.asked)); }));
    CHECK(most <= 600);
    CHECK(all.asked >= kRefs);
    CHECK(marker.objects() > kRefs);
    CHECK(marker.objects() <= kRefs + 2);
}

TEST_CASE("cycles that nothing names die, across scopes too") {
    Heap heap(objects::small());
    Mutator me(heap);
    Scope a{"a"};
    Node* const outer = make_raw<Node>();
    Scope b{"b"};
    Node* const inner = make_raw<Node>(outer);
    outer->left = inner;
    WeakHandle<Node> weak_outer(outer);
    WeakHandle<Node> weak_inner(inner);
    heap.collect_full();
    CHECK(weak_outer.expired());
    CHECK(weak_inner.expired());
    CHECK(heap.stats().last_full().live_objects == 0);
    CHECK(heap.verify().ok());
}
