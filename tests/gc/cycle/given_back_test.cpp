#include "tests/gc/cycle/sparse_bench.hpp"

#include <algorithm>
#include <array>

// Several regions that were collected together give their memory back one after the other, in slices.
using namespace sparse;

namespace {

constexpr int kScopes = 8;  // more than a slice that has no time gives back
constexpr std::size_t kNames = 128;

/// A chain survives, by table[at], so that the scope is condemned.
void keep_some(Bench& bench, std::size_t at) {
    Leaf* last = nullptr;
    for (std::size_t i = 0; i < 20000; ++i) last = perfloc::make_raw<Leaf>(last, i);
    bench[at] = last;
}

void make_garbage(std::size_t objects) {
    for (std::size_t i = 0; i < objects; ++i) perfloc::make_raw<Leaf>(nullptr, i);
}

}  // namespace

TEST_CASE("a dead slot into memory that was given back is not taken for a reference when that is used again") {
    Bench bench(400us);
    // Less than 24 MiB are made in all: else the program gives slices by itself.
    {
        perfloc::Scope first{"first"};  // the others wait for its collection, and are collected together
        keep_some(bench, 0);
        REQUIRE_FALSE(first.end().settled);
    }
    const Handle<perfloc::Array<Ref<Table>>> name = perfloc::make_array<Ref<Table>>(1);
    const Handle<Table> targets = perfloc::make_array<Ref<Leaf>>(kNames);
    std::array<const char*, kNames> addresses{};
    for (std::size_t i = 0; i < kScopes; ++i) {
        perfloc::Scope scope{"waits"};
        for (std::size_t k = 0; k < kNames; ++k) {
            make_garbage(500);
            if (i != 0) continue;  // which is given back first
            (*targets)[k] = perfloc::make_raw<Leaf>();
            addresses[k] = reinterpret_cast<const char*>((*targets)[k].get());
        }
        if (i == kScopes - 1) {
            (*name)[0] = perfloc::make_raw_array<Ref<Leaf>>(kNames);
            make_garbage(120000);  // nothing lives in its span
        }
        keep_some(bench, 1 + i);
        REQUIRE_FALSE(scope.end().settled);
    }
    const char* const referrer = reinterpret_cast<const char*>((*name)[0].get());
    perfloc::Scope small{"small"};
    Table* const slots = (*name)[0].get();
    Leaf* const early = perfloc::make_raw<Leaf>();
    for (std::size_t k = 0; k < kNames; ++k) {
        (*slots)[k] = early;  // recorded for the small scope
        (*slots)[k] = (*targets)[k].get();
        (*targets)[k] = nullptr;
    }
    (*name)[0] = nullptr;

    REQUIRE(bench.run_to("follow"));
    while (bench.phase() == "follow") perfloc::testing::slice(bench.heap);
    REQUIRE(bench.run_to("follow"));
    const auto state = [](const void* p) {
        perfloc::detail::HeapCore& heap = inspect::core();
        return heap.regions.state(heap.regions.resolve(heap.pages.region_at(p)));
    };
    while (state(addresses[0]) == perfloc::detail::RegionState::condemned) perfloc::testing::slice(bench.heap);
    REQUIRE(state(referrer) == perfloc::detail::RegionState::condemned);
    inspect::drain_quarantine();

    // Numbers, where the targets were.
    const auto used_again = [&] {
        const char* const last = reinterpret_cast<const char*>(perfloc::make_raw_array<std::uint64_t>(61, 0x41u));
        return std::ranges::any_of(
            addresses, [&](const char* p) { return p < last && &inspect::region(p) == &inspect::region(last); });
    };
    bool used = false;
    for (int i = 0; i < 4000 && !used; ++i) used = used_again();
    if (!perfloc::detail::kAsan) {  // which holds memory back, and hands it out in another order
        REQUIRE(used);
        REQUIRE(bench.phase() == "follow");
    }
    CHECK(bench.heap.verify().ok());
    const perfloc::ScopeReport report = small.end();
    CHECK(report.settled);
    CHECK(report.promoted_bytes == 0);
    CHECK(bench.run_to("idle"));
    CHECK(bench.heap.verify().ok());
}
