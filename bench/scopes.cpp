// Small objects in short scopes: scopes of 1000 objects with two references each, and the smallest scope there is.
#include <perfloc/perfloc.hpp>

#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/escape.hpp"
#include "support/keeps_memory.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

constexpr int kObjects = 1000;  // in a scope

struct Item {
    perfloc::Ref<Item> a, b;
    std::uint64_t x, y;
};

struct PlainItem {
    PlainItem* a;
    PlainItem* b;
    std::uint64_t x, y;
};

static_assert(sizeof(Item) == 32 && sizeof(PlainItem) == 32);

// Each object refers to the two made before it; with `again` both references are set once more, the other way round.
template <bool again, class T, class Make>
std::uint64_t fill(Make make, std::uint64_t seed) {
    T* older = make(nullptr, nullptr, seed, 0);
    T* newer = make(older, older, seed, 1);
    for (std::uint64_t i = 2; i < kObjects; ++i) {
        T* item = make(newer, older, seed, i);
        if constexpr (again) {
            T* same = bench::disguise(item);
            same->a = older;
            same->b = newer;
        }
        older = newer;
        newer = item;
    }
    T* before = newer->a;
    T* other = newer->b;
    return newer->y + 3 * before->y + 7 * other->y + before->x;
}

template <class F>
bench::Sample repeat(int scopes, F&& one_scope) {
    bench::Sample sample;
    sample.figures[0] = bench::seconds_of([&] {
        for (int i = 0; i < scopes; ++i) sample.checksum += one_scope(static_cast<std::uint64_t>(i));
    });
    return sample;
}

template <bool again>
bench::Sample run_perfloc(int scopes) {
    return repeat(scopes, [](std::uint64_t seed) {
        perfloc::Scope scope;
        const auto make = [](Item* a, Item* b, std::uint64_t x, std::uint64_t y) {
            return perfloc::make_raw<Item>(a, b, x, y);
        };
        return fill<again, Item>(make, seed);
    });
}

template <bool again, class Pmr>
bench::Sample run_pmr(int scopes) {
    Pmr pmr(kObjects * sizeof(PlainItem));
    return repeat(scopes, [&arena = pmr.arena](std::uint64_t seed) {
        const auto make = [&arena](PlainItem* a, PlainItem* b, std::uint64_t x, std::uint64_t y) {
            return new (arena.allocate(sizeof(PlainItem), alignof(PlainItem))) PlainItem{a, b, x, y};
        };
        const std::uint64_t sum = fill<again, PlainItem>(make, seed);
        arena.release();
        return sum;
    });
}

template <bool again>
void compare_filled_scopes(const bench::Options& options, bench::Table& table, const std::string& what, double bar) {
    const int scopes = options.sized(20'000);
    bench::Contest contest(what);
    contest.add("perfloc", [=] { return run_perfloc<again>(scopes); });
    contest.add(bench::PmrUpstream::kName, [=] { return run_pmr<again, bench::PmrUpstream>(scopes); });
    contest.add(bench::PmrBuffer::kName, [=] { return run_pmr<again, bench::PmrBuffer>(scopes); });
    contest.run(options.rounds);

    const std::string best = contest.fastest({bench::PmrUpstream::kName, bench::PmrBuffer::kName});
    table.row(what + ": perfloc / " + best, contest.ratio("perfloc", best), "x", bar);
    for (const char* name : {"perfloc", bench::PmrUpstream::kName, bench::PmrBuffer::kName}) {
        table.row(what + ": " + name + ", an object", contest.figure(name).scaled(1e9 / scopes / kObjects), "ns");
    }
}

void compare_smallest_scopes(const bench::Options& options, bench::Table& table) {
    const int scopes = options.sized(10'000'000);
    bench::Contest contest("smallest scope");
    contest.add("scope", [=] {
        return repeat(scopes, [](std::uint64_t seed) {
            perfloc::Scope scope;
            Item* item = perfloc::make_raw<Item>(nullptr, nullptr, seed, seed);
            bench::keep(item);
            return item->y;
        });
    });
    contest.add("scope, handle", [=] {
        return repeat(scopes, [](std::uint64_t seed) {
            perfloc::Scope scope;
            perfloc::Handle<Item> item = perfloc::make<Item>(nullptr, nullptr, seed, seed);
            bench::keep(item.get());
            return item->y;
        });
    });
    contest.add("malloc", [=] {
        return repeat(scopes, [](std::uint64_t seed) {
            auto* item = new (bench::Glibc::allocate(sizeof(PlainItem))) PlainItem{nullptr, nullptr, seed, seed};
            bench::keep(item);
            const std::uint64_t y = item->y;
            bench::Glibc::release(item);
            return y;
        });
    });
    contest.run(options.rounds);
    table.row("scope + allocation + end / malloc + free", contest.ratio("scope", "malloc"), "x", 0.6);
    table.row("the same with a handle / malloc + free", contest.ratio("scope, handle", "malloc"), "x", 0.9);
    for (const char* name : {"scope", "scope, handle", "malloc"}) {
        table.row(std::string(name) + ", one", contest.figure(name).scaled(1e9 / scopes), "ns");
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::start(argc, argv, "small objects in short scopes", 15);
    bench::keep_freed_memory();
    perfloc::Heap heap({.limit = 1_GiB, .return_after = bench::kKeepsMemory});
    perfloc::Mutator me(heap);

    bench::Table table;
    compare_filled_scopes<false>(options, table, "two references", 1.0);
    compare_filled_scopes<true>(options, table, "set again", 1.3);
    compare_smallest_scopes(options, table);
    table.print();
}
