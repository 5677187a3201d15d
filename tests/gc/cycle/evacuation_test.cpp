// Which sparse spans of a scope that goes on are emptied: those that were there at the collection before, all where memory is asked for.
#include "tests/gc/cycle/sparse_bench.hpp"

#include <vector>

using namespace sparse;

namespace {

constexpr std::size_t kObjects = 1'000'000;  // objects of 24 bytes: more than a heap may grow by before it is looked at

using Addresses = std::vector<const Leaf*>;

/// Of the first objects one in six lives, of the last nearly all; no page is empty.
void fill(const Handle<Table>& table) {
    for (std::size_t i = 0; i < kObjects; ++i) {
        Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, i);
        if (i * 7919 % 100 < 16 + 80 * i / kObjects) (*table)[i] = leaf;
    }
}

Handle<Table> table_of_objects() { return perfloc::make_array<Ref<Leaf>>(kObjects); }

Addresses addresses(const Handle<Table>& table) {
    Addresses all;
    for (const Ref<Leaf>& leaf : *table) all.push_back(leaf.get());
    return all;
}

std::size_t moved(const Handle<Table>& table, const Addresses& before) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < before.size(); ++i) n += (*table)[i].get() != before[i];
    return n;
}

void grow() {
    for (std::size_t i = 0; i < 2 * kObjects; ++i) perfloc::make_raw<Leaf>(nullptr, i);
}

/// The collection that is due, and no more.
void collect(Bench& bench, std::uint64_t cycles) {
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    REQUIRE(inspect::core().collection.counts.pressure_cycles == cycles);
    REQUIRE(bench.heap.verify().ok());
}

}  // namespace

TEST_CASE("spans that are sparse are left alone once, and emptied when they are found so again") {
    Bench bench;
    const Handle<Table> table = table_of_objects();
    fill(table);
    const Addresses before = addresses(table);
    collect(bench, 1);
    CHECK(moved(table, before) == 0);
    grow();
    collect(bench, 2);
    const std::size_t n = moved(table, before);
    CHECK(n > kObjects / 20);
    CHECK(n < kObjects / 5);  // moving is dear: a fifth of what lives at once
    for (std::size_t i = 0; i < kObjects; ++i) REQUIRE((!(*table)[i] || (*table)[i]->value == i));
}

TEST_CASE("where memory is scarce, spans that are sparse are emptied at once") {
    Bench bench(1ms, 64 << 20);
    const Handle<Table> table = table_of_objects();
    fill(table);
    const Addresses before = addresses(table);
    collect(bench, 1);
    CHECK(moved(table, before) > kObjects / 20);
}

TEST_CASE("what an ended scope has left has not stayed yet") {
    Bench bench;
    const Handle<Table> table = table_of_objects();
    {
        perfloc::Scope scope{"filled"};
        fill(table);
    }
    REQUIRE(inspect::core().collection.waiting + inspect::core().collection.cycle == 1);
    const Addresses before = addresses(table);
    collect(bench, 1);  // after that of the ended scope
    REQUIRE(inspect::core().collection.cycle == 2);
    CHECK(moved(table, before) == 0);
    grow();
    collect(bench, 2);
    CHECK(moved(table, before) > kObjects / 20);
}

TEST_CASE("where memory is asked for, spans that are sparse are emptied at once") {
    Bench bench;
    perfloc::Scope scope{"filled"};
    const Handle<Table> table = table_of_objects();
    fill(table);
    const Addresses before = addresses(table);
    scope.trim();
    collect(bench, 1);
    CHECK(moved(table, before) > kObjects / 20);
}

// None was where the emptiest twentieth was too much at once. An adversary's reading found this.
TEST_CASE("where all spans are as sparse as each other, they are emptied in several collections") {
    Bench bench;
    perfloc::Scope scope{"filled"};
    const Handle<Table> table = table_of_objects();
    for (std::size_t i = 0; i < kObjects; ++i) {
        Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, i);
        if (i % 3 == 0) (*table)[i] = leaf;
    }
    perfloc::Bytes used = bench.heap.stats().used_bytes();
    std::size_t all = 0;
    for (std::uint64_t cycles = 1; cycles <= 5; ++cycles) {
        const Addresses before = addresses(table);
        scope.trim();
        collect(bench, cycles);
        const std::size_t n = moved(table, before);
        CHECK(n < kObjects / 3 / 2);  // a fifth of what lives at once, of which the table is nearly a half
        all += n;
        CHECK(bench.heap.stats().used_bytes() <= used);
        used = bench.heap.stats().used_bytes();
    }
    CHECK(all > kObjects / 3 / 10 * 9);
    CHECK(used < table->size() * sizeof(Ref<Leaf>) + kObjects / 3 * 32 * 3 / 2);
    for (std::size_t i = 0; i < kObjects; i += 3) REQUIRE((*table)[i]->value == i);
}
