#include "support/catch.hpp"

#include "runtime/heap_core.hpp"
#include "runtime/region_table.hpp"

#include <perfloc/units.hpp>

#include <set>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

struct Bench {
    HeapCore heap{Options{.reserve = 16_MiB, .limit = 8_MiB}};
    RegionTable& regions = heap.regions;

    std::uint64_t key(const Region& region) { return regions.record(region).key; }
};

}  // namespace

TEST_CASE("a scope encloses itself and what is deeper in its lineage, and nothing else") {
    constexpr std::uint64_t one = std::uint64_t{7} << 32;
    constexpr std::uint64_t two = std::uint64_t{8} << 32;
    CHECK(key_encloses(one + 1, one + 1));
    CHECK(key_encloses(one + 1, one + 2));
    CHECK(key_encloses(one + 1, one + kDepthSpan));
    CHECK_FALSE(key_encloses(one + 2, one + 1));
    CHECK_FALSE(key_encloses(one + 1, two + 5));
    CHECK_FALSE(key_encloses(two + 1, one + 5));
    CHECK(RegionTable::depth_of(one + 7) == 7);
}

TEST_CASE("a region that is not open neither encloses nor is enclosed") {
    Bench bench;
    Region& outer = *bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    const std::uint64_t lineage = bench.key(outer) - 1;
    Region& middle = *bench.regions.create(lineage + 2, &outer);
    Region& inner = *bench.regions.create(lineage + 3, &middle);
    REQUIRE(key_encloses(bench.key(outer), bench.key(middle)));
    REQUIRE(key_encloses(bench.key(middle), bench.key(inner)));
    for (const RegionState state : {RegionState::condemned, RegionState::pooled, RegionState::merged}) {
        bench.regions.close(middle, state);
        CHECK(bench.regions.state(middle) == state);
        CHECK_FALSE(key_encloses(bench.key(outer), bench.key(middle)));
        CHECK_FALSE(key_encloses(bench.key(middle), bench.key(inner)));
        CHECK_FALSE(key_encloses(bench.key(*bench.heap.root), bench.key(middle)));
        bench.regions.open(middle, lineage + 2);
        CHECK(key_encloses(bench.key(middle), bench.key(inner)));
    }
}

TEST_CASE("each region that is given a lineage of its own is apart from every other") {
    Bench bench;
    std::set<std::uint64_t> lineages;
    for (int i = 0; i < 100; ++i) {
        const Region& region = *bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
        CHECK(RegionTable::depth_of(bench.key(region)) == 1);
        lineages.insert(bench.key(region) >> 32);
    }
    CHECK(lineages.size() == 100);
}

TEST_CASE("an index stands for the region that it was merged into, through any number of merges") {
    Bench bench;
    std::vector<Region*> chain;
    for (int i = 0; i < 100; ++i) chain.push_back(bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root));
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) bench.regions.merge(*chain[i], *chain[i + 1]);
    for (const Region* region : chain) CHECK(bench.regions.resolve(region->index) == chain.back()->index);
    // Looking shortens the way.
    CHECK(bench.regions.resolve(chain.front()->index) == chain.back()->index);
    CHECK(bench.regions.resolve(kRootRegion) == kRootRegion);
}

TEST_CASE("a recycled region takes what was merged into it along") {
    Bench bench;
    Region& into = *bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    std::set<std::uint32_t> indices{into.index};
    for (int i = 0; i < 3; ++i) {
        Region& merged = *bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
        indices.insert(merged.index);
        bench.regions.merge(merged, into);
        merged.next = into.absorbed;
        if (into.absorbed == nullptr) into.absorbed_last = &merged;
        into.absorbed = &merged;
    }
    const std::uint32_t end = bench.regions.end();
    bench.regions.recycle(into);
    std::set<std::uint32_t> again;
    for (int i = 0; i < 4; ++i) {
        Region& region = *bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
        again.insert(region.index);
        CHECK(bench.regions.resolve(region.index) == region.index);
        CHECK(region.absorbed == nullptr);
    }
    CHECK(again == indices);
    CHECK(bench.regions.end() == end);
}

TEST_CASE("a region has a birth number of its own, also where its index is used again") {
    Bench bench;
    Region* region = bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    const std::uint64_t birth = region->birth;
    const std::uint32_t index = region->index;
    bench.regions.recycle(*region);
    region = bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root);
    CHECK(region->index == index);
    CHECK(region->birth > birth);
}

TEST_CASE("where the table is full there is no region, until one is recycled") {
    Bench bench;
    std::vector<Region*> all;
    while (Region* region = bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root)) all.push_back(region);
    CHECK(all.size() >= 4000);
    bench.regions.recycle(*all.back());
    CHECK(bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root) != nullptr);
    CHECK(bench.regions.create(RegionTable::kOwnLineage + 1, bench.heap.root) == nullptr);
    std::size_t open = 0;
    bench.regions.for_each_open([&](Region&) { ++open; });
    CHECK(open == all.size() + 1);  // the root too
}
