#include "support/catch.hpp"

#include "api/objects.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/remembered_set.hpp"

#include <perfloc/units.hpp>

#include <memory>
#include <set>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

struct Bench {
    HeapCore heap{Options{.reserve = 64_MiB, .limit = 8_MiB}};
    RememberedSet set;

    void add(std::atomic<void*>& slot, std::uint64_t generation = 1) { set.add(heap.chunks, {&slot, generation}); }
    std::vector<IncomingSlot> contents() const {
        std::vector<IncomingSlot> all;
        set.for_each([&](const IncomingSlot& slot) { all.push_back(slot); });
        return all;
    }
};

std::unique_ptr<std::atomic<void*>[]> slots(std::size_t n) { return std::make_unique<std::atomic<void*>[]>(n); }

}  // namespace

TEST_CASE("the slot that was recorded last is not recorded again") {
    Bench bench;
    const auto all = slots(2);
    for (int i = 0; i < 100; ++i) bench.add(all[0]);
    CHECK(bench.set.size() == 1);
    bench.add(all[1]);
    bench.add(all[1]);
    CHECK(bench.set.size() == 2);
}

TEST_CASE("the same slot in a span that was handed out again is another one") {
    Bench bench;
    const auto all = slots(1);
    bench.add(all[0], 1);
    bench.add(all[0], 2);
    CHECK(bench.set.size() == 2);
    bench.set.deduplicate(bench.heap.chunks);
    REQUIRE(bench.set.size() == 1);
    CHECK(bench.contents().front().generation == 2);  // the older one cannot match any more
}

TEST_CASE("deduplication loses no slot") {
    Bench bench;
    const auto all = slots(3000);
    std::set<std::atomic<void*>*> expected;
    std::uint64_t random = 88172645463325252u;
    for (int i = 0; i < 200'000; ++i) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        std::atomic<void*>& slot = all[random % 3000];
        bench.add(slot);
        expected.insert(&slot);
    }
    CHECK(bench.set.size() < 10'000);
    bench.set.deduplicate(bench.heap.chunks);
    std::set<std::atomic<void*>*> found;
    for (const IncomingSlot& slot : bench.contents()) found.insert(slot.slot);
    CHECK(found == expected);
    CHECK(bench.set.size() == expected.size());
}

TEST_CASE("fields that are written in turn a million times cost bounded memory") {
    Bench bench;
    const auto all = slots(3);
    for (int i = 0; i < 1'000'000; ++i) bench.add(all[static_cast<std::size_t>(i) % 3]);
    CHECK(bench.set.size() <= 4096);
    CHECK(bench.heap.chunks.bytes() < 256_KiB);
}

TEST_CASE("splicing and clearing leave an empty set behind") {
    Bench bench;
    const auto all = slots(10);
    RememberedSet other;
    for (std::size_t i = 0; i < 10; ++i) other.add(bench.heap.chunks, {&all[i], 1});
    bench.set.splice(other);
    CHECK(other.empty());
    CHECK(bench.set.size() == 10);
    bench.set.filter(bench.heap.chunks, [&](const IncomingSlot& slot) { return slot.slot != &all[4]; });
    CHECK(bench.set.size() == 9);
    bench.set.clear(bench.heap.chunks);
    CHECK(bench.set.empty());
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
