#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/graph.hpp"
#include "runtime/deduplication.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/remembered_set.hpp"

#include <perfloc/units.hpp>

#include <set>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

/// Slots in the heap: those of an array of references.
struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};
    HeapCore& core = current_heap("the test");
    std::vector<Handle<Array<Ref<objects::Node>>>> arrays;
    RememberedSet set;

    ~Bench() { set.clear(core.chunks); }

    std::vector<std::atomic<void*>*> slots(std::size_t n) {
        arrays.push_back(make_array<Ref<objects::Node>>(n));
        auto* const first = reinterpret_cast<std::atomic<void*>*>(arrays.back()->data());
        std::vector<std::atomic<void*>*> all;
        for (std::size_t i = 0; i < n; ++i) all.push_back(first + i);
        return all;
    }
    std::uint64_t generation_of(const std::atomic<void*>* slot) const { return core.pages.span_at(slot).generation; }
    void add(std::atomic<void*>* slot) { set.add(core.chunks, core.deduplication, {slot, generation_of(slot)}); }
    std::vector<IncomingSlot> contents() const {
        std::vector<IncomingSlot> all;
        set.for_each([&](const IncomingSlot& slot) { all.push_back(slot); });
        return all;
    }
    std::set<std::atomic<void*>*> distinct() const {
        std::set<std::atomic<void*>*> found;
        set.for_each([&](const IncomingSlot& slot) { found.insert(slot.slot); });
        return found;
    }
};

}  // namespace

TEST_CASE("the slot that was recorded last is not recorded again") {
    Bench bench;
    const auto all = bench.slots(2);
    for (int i = 0; i < 100; ++i) bench.add(all[0]);
    CHECK(bench.set.size() == 1);
    bench.add(all[1]);
    bench.add(all[1]);
    CHECK(bench.set.size() == 2);
}

TEST_CASE("a slot whose span was handed out again goes: it cannot match any more") {
    Bench bench;
    const auto all = bench.slots(1);
    bench.add(all[0]);
    bench.core.pages.span_at(all[0]).generation = bench.core.pool.new_generation();
    bench.add(all[0]);
    CHECK(bench.set.size() == 2);
    bench.core.deduplication.finish(bench.set);
    REQUIRE(bench.set.size() == 1);
    CHECK(bench.contents().front().generation == bench.generation_of(all[0]));
}

TEST_CASE("a slot that is recorded anew in a newer span, while its set is looked at, is not taken for the old one") {
    Bench bench;
    const auto all = bench.slots(5000);
    // The first slot is seen at the beginning of the pass, which the others begin.
    for (std::size_t i = 0; i < 4200; ++i) bench.add(all[i]);
    Span& span = bench.core.pages.span_at(all[0]);
    span.generation = bench.core.pool.new_generation();
    for (std::size_t i = 0; i < 5000; ++i) bench.add(all[i]);
    bench.core.deduplication.finish(bench.set);
    bench.core.deduplication.finish(bench.set);
    CHECK(bench.set.size() == 5000);
    for (const IncomingSlot& slot : bench.contents()) REQUIRE(slot.generation == span.generation);
}

TEST_CASE("deduplication loses no slot") {
    Bench bench;
    const auto all = bench.slots(3000);
    std::set<std::atomic<void*>*> expected;
    graph::Random random(1);
    for (int i = 0; i < 200'000; ++i) {
        std::atomic<void*>* const slot = all[random.below(3000)];
        bench.add(slot);
        expected.insert(slot);
    }
    CHECK(bench.set.size() < 10'000);
    bench.core.deduplication.finish(bench.set);
    CHECK(bench.distinct() == expected);
    CHECK(bench.set.size() == expected.size());
}

TEST_CASE("a set may be taken, spliced, filtered and cleared in the middle of its deduplication") {
    Bench bench;
    const auto all = bench.slots(6000);
    graph::Random random(1);
    for (int round = 0; round < 20; ++round) {
        std::set<std::atomic<void*>*> expected;
        for (std::size_t i = 0; i < 4096 + random.below(2000); ++i) {
            std::atomic<void*>* const slot = all[random.below(6000)];
            bench.add(slot);
            expected.insert(slot);
        }
        CHECK(bench.distinct() == expected);
        RememberedSet other;
        switch (round % 4) {
            case 0:
                other.splice(bench.core.chunks, bench.set);
                CHECK(bench.set.empty());
                bench.set.splice(bench.core.chunks, other);
                break;
            case 1:
                bench.set.filter(bench.core.chunks, [](const IncomingSlot&) { return true; });
                break;
            case 2:
                for (const std::size_t i : {0u, 1u, 2u})
                    other.add(bench.core.chunks, bench.core.deduplication, {all[i], bench.generation_of(all[i])});
                for (const std::size_t i : {0u, 1u, 2u}) expected.insert(all[i]);
                bench.set.splice(bench.core.chunks, other);
                break;
            default:
                bench.set.clear(bench.core.chunks);
                expected.clear();
        }
        CHECK(bench.distinct() == expected);
        bench.core.deduplication.finish(bench.set);
        CHECK(bench.distinct() == expected);
        CHECK(bench.set.size() == expected.size());
        bench.set.clear(bench.core.chunks);
    }
}

TEST_CASE("two sets that grow at once are both deduplicated") {
    Bench bench;
    const auto all = bench.slots(2000);
    RememberedSet other;
    graph::Random random(1);
    for (int i = 0; i < 200'000; ++i) {
        bench.add(all[random.below(1000)]);
        std::atomic<void*>* const slot = all[1000 + random.below(1000)];
        other.add(bench.core.chunks, bench.core.deduplication, {slot, bench.generation_of(slot)});
    }
    CHECK(bench.set.size() < 10'000);
    CHECK(other.size() < 10'000);
    CHECK(bench.distinct().size() == 1000);
    other.clear(bench.core.chunks);
}

TEST_CASE("slots of spans that are handed out again and again do not gather") {
    Bench bench;
    const auto all = bench.slots(100);
    Span& span = bench.core.pages.span_at(all[0]);
    for (int round = 0; round < 5000; ++round) {
        span.generation = bench.core.pool.new_generation();
        for (std::atomic<void*>* const slot : all) bench.add(slot);
    }
    CHECK(bench.set.size() < 10'000);
}

TEST_CASE("fields that are written in turn a million times cost bounded memory") {
    Bench bench;
    const auto all = bench.slots(3);
    for (std::size_t i = 0; i < 1'000'000; ++i) bench.add(all[i % 3]);
    CHECK(bench.set.size() <= 5000);
    CHECK(bench.core.chunks.bytes() < 256_KiB);
}

TEST_CASE("splicing and clearing leave an empty set behind") {
    Bench bench;
    const auto all = bench.slots(10);
    RememberedSet other;
    for (std::atomic<void*>* const slot : all) other.add(bench.core.chunks, bench.core.deduplication, {slot, 1});
    bench.set.splice(bench.core.chunks, other);
    CHECK(other.empty());
    CHECK(bench.set.size() == 10);
    bench.set.filter(bench.core.chunks, [&](const IncomingSlot& slot) { return slot.slot != all[4]; });
    CHECK(bench.set.size() == 9);
    bench.set.clear(bench.core.chunks);
    CHECK(bench.set.empty());
}

TEST_CASE("a set that is emptied for the next scope keeps one chunk, which no list gets from it") {
    Bench bench;
    const auto all = bench.slots(200);
    const auto next_free = [&] {
        void* const chunk = bench.core.chunks.take();
        bench.core.chunks.give(chunk);
        return chunk;
    };
    void* const kept = next_free();
    for (std::atomic<void*>* const slot : all) bench.add(slot);
    bench.set.clear_but_one(bench.core.chunks);
    CHECK(bench.set.empty());
    CHECK(bench.contents().empty());
    void* const free = next_free();
    bench.add(all[7]);
    CHECK(next_free() == free);
    CHECK(bench.set.size() == 1);
    CHECK(bench.contents().front().slot == all[7]);
    bench.set.clear_but_one(bench.core.chunks);

    SECTION("taken, it hands over nothing") {
        auto list = bench.set.take();
        CHECK(list.empty());
        list.clear(bench.core.chunks);
        CHECK(next_free() == free);
    }
    SECTION("filtered, it is as it was") {
        bench.set.filter(bench.core.chunks, [](const IncomingSlot&) { return true; });
        bench.add(all[1]);
        CHECK(bench.distinct() == std::set{all[1]});
    }
    SECTION("spliced into another, or the other into it, the chunk is free") {
        RememberedSet other;
        for (std::size_t i = 0; i < 3; ++i)
            other.add(bench.core.chunks, bench.core.deduplication, {all[i], bench.generation_of(all[i])});
        const bool into = GENERATE(false, true);
        if (into) {
            bench.set.splice(bench.core.chunks, other);
        } else {
            other.splice(bench.core.chunks, bench.set);
            bench.set.splice(bench.core.chunks, other);
        }
        CHECK(next_free() == kept);
        CHECK(bench.set.size() == 3);
        auto list = bench.set.take();
        for (std::size_t i = 3; i != 0; --i) CHECK(list.pop(bench.core.chunks).slot == all[i - 1]);
        CHECK(list.empty());
    }
}

TEST_CASE("an outer field that is given inner objects a million times costs bounded memory") {
    Heap heap(objects::small());
    Mutator me(heap);
    auto outer = make<objects::Node>();
    Scope inner{"inner"};
    auto a = make<objects::Node>(nullptr, nullptr, 1);
    auto b = make<objects::Node>(nullptr, nullptr, 2);
    const Bytes before = heap.stats().metadata_bytes();
    for (int i = 0; i < 1'000'000; ++i) {
        outer->left = a;
        outer->right = b;
        outer->left = b;
    }
    CHECK(heap.stats().metadata_bytes() - before < 256_KiB);
    inner.end();
    CHECK(outer->left->value == 2);
    CHECK(outer->right->value == 2);
}

TEST_CASE("a set that may have many slots is deduplicated when it has those") {
    Bench bench;
    const auto all = bench.slots(100);
    bench.set.expect(50'000);
    for (int i = 0; i < 49'999; ++i) bench.add(all[static_cast<std::size_t>(i) % all.size()]);
    CHECK(bench.set.size() == 49'999);
    for (int i = 0; i < 100'000; ++i) bench.add(all[static_cast<std::size_t>(i) % all.size()]);
    CHECK(bench.set.size() < 110'000);
    CHECK(bench.distinct().size() == all.size());
    bench.set.clear(bench.core.chunks);  // and is as any other afterwards
    for (int i = 0; i < 20'000; ++i) bench.add(all[static_cast<std::size_t>(i) % all.size()]);
    CHECK(bench.set.size() < 10'000);
}
