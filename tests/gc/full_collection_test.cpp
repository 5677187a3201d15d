#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <map>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

namespace {

struct Growth {
    Bytes from, to;  ///< in use after the last collection, and before this one
};

/// Polls while garbage is made, and notes from what size the heap had grown to what when it was collected.
std::vector<Growth> collections_while_growing(Heap& heap, Mutator& me, Bytes garbage) {
    std::vector<Growth> all;
    for (Bytes made = 0; made < garbage; made += 1024) {
        const std::uint64_t before = heap.stats().full_collections();
        const Bytes from = heap.stats().last_full().after_bytes;
        make_raw_array<char>(1016);
        me.poll();
        if (heap.stats().full_collections() != before) all.push_back({from, heap.stats().last_full().before_bytes});
    }
    return all;
}

}  // namespace

TEST_CASE("the baseline collects at the first poll after the heap has grown by its factor") {
    for (const double factor : {1.5, 2.0, 4.0}) {
        Options options = objects::small(Collector::full);
        options.full_growth_factor = factor;
        options.full_minimum = 1_MiB;
        Heap heap(options);
        Mutator me(heap);
        Handle<Node> list = objects::chain(100'000);  // 3.2 MB
        heap.collect_full();
        const std::vector<Growth> all = collections_while_growing(heap, me, 40_MiB);
        REQUIRE(all.size() >= 2);
        for (const Growth& growth : all) {
            CHECK(static_cast<double>(growth.to) > static_cast<double>(growth.from) * factor);
            CHECK(static_cast<double>(growth.to) < static_cast<double>(growth.from) * factor + 600'000);  // two spans
        }
        CHECK(objects::length(list.get()) == 100'000);
        CHECK(heap.stats().pauses(PauseCause::full).count() == all.size() + 1);
    }
}

TEST_CASE("the baseline does not collect below its minimum, nor without a poll") {
    Options options = objects::small(Collector::full);
    options.full_minimum = 8_MiB;
    Heap heap(options);
    Mutator me(heap);
    CHECK(collections_while_growing(heap, me, 7_MiB).empty());
    for (int i = 0; i < 20'000; ++i) make_raw_array<char>(1016);
    CHECK(heap.stats().full_collections() == 0);
    poll();
    CHECK(heap.stats().full_collections() == 1);
    poll();
    CHECK(heap.stats().full_collections() == 1);
}

TEST_CASE("scope ends free nothing under the baseline, and a collection does") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    WeakHandle<Node> weak;
    {
        Scope scope{"ignored"};
        weak = WeakHandle<Node>(make<Node>());
        const ScopeReport report = scope.end();
        CHECK(report.released_bytes == 0);
        CHECK(report.promoted_bytes == report.allocated_bytes);
    }
    CHECK_FALSE(weak.expired());
    heap.collect_full();
    CHECK(weak.expired());
}

TEST_CASE("without a collector nothing is ever collected by itself") {
    Options options = objects::small(Collector::none);
    options.limit = 16_MiB;
    Heap heap(options);
    Mutator me(heap);
    WeakHandle<Node> weak(make<Node>());
    CHECK_THROWS_AS(collections_while_growing(heap, me, 100_MiB), OutOfMemory);
    CHECK(heap.stats().full_collections() == 0);
    CHECK(heap.stats().scope_collections() == 0);
    CHECK_FALSE(weak.expired());
    heap.collect_full();  // on demand, whatever the collector
    CHECK(weak.expired());
    CHECK(make<Node>() != nullptr);
}

TEST_CASE("under hinted a poll collects the whole heap in one pause only near the limit") {
    Options options = objects::small();
    options.soft_limit = 8_MiB;
    options.limit = 32_MiB;
    Heap heap(options);
    Mutator me(heap);
    CHECK(collections_while_growing(heap, me, 7_MiB).empty());
    const std::vector<Growth> all = collections_while_growing(heap, me, 40_MiB);
    for (const Growth& growth : all) CHECK(growth.to > 30_MiB);
    CHECK(heap.stats().scope_collections() + all.size() > 0);
}

TEST_CASE("objects stay in their scopes, which end as ever after a full collection") {
    Heap heap(objects::small());
    Mutator me(heap);
    Scope a{"a"};
    auto in_a = make<Node>();
    Scope b{"b"};
    auto in_b = make<Node>(nullptr, nullptr, 7);
    in_a->left = in_b;
    for (int i = 0; i < 10'000; ++i) make_raw<Node>();
    heap.collect_full();
    CHECK(inspect::scope(in_a.get()) == "a");
    CHECK(inspect::scope(in_b.get()) == "b");
    CHECK(heap.verify().ok());
    in_b.reset();
    const ScopeReport report = b.end();
    CHECK(report.promoted_bytes == 32);
    CHECK(in_a->left->value == 7);
    CHECK(heap.verify().ok());
    CHECK(a.end().promoted_bytes == 64);  // held by the handle in_a
    CHECK(in_a->left->value == 7);
}

TEST_CASE("a scope that lost all its objects in a full collection is released in constant time") {
    Heap heap(objects::small());
    Mutator me(heap);
    Scope scope{"emptied"};
    WeakHandle<Node> weak(make<Node>());
    heap.collect_full();
    CHECK(weak.expired());
    CHECK(scope.end().constant_time);
}

TEST_CASE("the report of a full collection adds up") {
    Heap heap(objects::small());
    Mutator me(heap);
    auto large = make_array<char>(1_MiB);
    Handle<Node> list = objects::chain(1000);
    for (int i = 0; i < 1000; ++i) make_raw<Node>();
    heap.collect_full();
    const FullCollectionReport report = heap.stats().last_full();
    CHECK(report.live_objects == 1001);
    CHECK(report.live_bytes == 1000 * 32 + 1_MiB + 8);
    CHECK(report.before_bytes >= 2000 * 32 + 1_MiB);
    CHECK(report.after_bytes <= report.before_bytes);
    const PauseEvent last = heap.stats().last_pauses().back();
    CHECK(last.cause == PauseCause::full);
    CHECK(last.looked_at_bytes == report.before_bytes);
    CHECK(last.survived_bytes == report.live_bytes);
    CHECK(report.mark + report.sweep + report.destructors + report.compact <=
          last.duration + std::chrono::milliseconds(1));
    CHECK(list->value == 1);
    CHECK(large->size() == 1_MiB);
}

TEST_CASE("a full collection without a mutator keeps what global handles and the root's references hold") {
    Heap heap(objects::small());
    GlobalHandle<Node> global;
    {
        Mutator me(heap);
        global =
            GlobalHandle<Node>(make_in<Node>(heap.root(), make_in<Node>(heap.root(), nullptr, nullptr, 2), nullptr, 1));
        for (int i = 0; i < 1000; ++i) make_raw_in<Node>(heap.root());
    }
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 2);
    Mutator me(heap);
    CHECK(global->left->value == 2);
    CHECK(heap.verify().ok());
}

TEST_CASE("detached scopes, entered or not, take part in a full collection") {
    Heap heap(objects::small());
    Mutator me(heap);
    DetachedScope one(heap, "one");
    DetachedScope two(heap, "two");
    auto in_one = one.make<Node>(nullptr, nullptr, 1);
    {
        DetachedScope::Enter inside(two);
        in_one->left = make_raw<Node>(nullptr, nullptr, 2);
        Scope nested{"nested"};
        in_one->right = make_raw<Node>(nullptr, nullptr, 3);
        for (int i = 0; i < 1000; ++i) make_raw<Node>();
        heap.collect_full();
        CHECK(heap.stats().last_full().live_objects == 3);
        CHECK(heap.verify().ok());
    }
    CHECK(in_one->right->value == 3);
    CHECK(inspect::scope(in_one->left) == "two");
    two.end();
    CHECK(in_one->left->value == 2);
    one.end();
    CHECK(in_one->left->value == 2);
    CHECK(heap.verify().ok());
}

TEST_CASE("pinned objects and their neighbours are collected in place, again and again") {
    Heap heap(objects::small());
    Mutator me(heap);
    std::map<int, Handle<objects::Named>> all;
    for (int i = 0; i < 2000; ++i) all[i] = make<objects::Named>(std::to_string(i), i > 0 ? all[i - 1].get() : nullptr);
    for (int round = 2; round < 6; ++round) {
        for (auto& [i, handle] : all) {
            if (i % round == 0) handle.reset();
        }
        heap.collect_full();
        REQUIRE(heap.verify().ok());
        for (auto& [i, handle] : all) {
            if (handle) REQUIRE(handle->name() == std::to_string(i));
        }
    }
    all.clear();
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 0);
}
