// Requests: each makes a scope's worth of linked objects, answers from them, and is gone; of every hundredth, a
// subgraph of ten objects stays in an LRU cache. Each contender runs in a child of its own, for its page faults and
// peak memory.
#include <perfloc/perfloc.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "support/child.hpp"
#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/prng.hpp"
#include "support/requests.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

using namespace bench::requests;

bench::Sample run_ours(const Traffic& traffic) {
    return run_perfloc(traffic, {.limit = 4_GiB}, [](perfloc::Heap&, bench::Sample&) {});
}

void free_chain(PlainItem* item, void (*release)(void*)) {
    while (item) {
        PlainItem* previous = item->previous;
        release(item);
        item = previous;
    }
}

// Copies the chain that ends in `last`, with the references among its objects.
PlainItem* copy_out(const PlainItem* last) {
    std::array<const PlainItem*, kKept> originals;
    std::array<PlainItem*, kKept> copies;
    std::size_t at = kKept;
    for (const PlainItem* item = last; item; item = item->previous) originals[--at] = item;
    PlainItem* previous = nullptr;
    for (std::size_t i = 0; i < kKept; ++i) {
        const PlainItem* from = originals[i];
        auto* to = static_cast<PlainItem*>(bench::Glibc::allocate(sizeof(PlainItem) + from->words * 8));
        std::memcpy(to, from, sizeof(PlainItem) + from->words * 8);
        to->previous = previous;
        if (from->other) {
            to->other = copies[static_cast<std::size_t>(
                std::find(originals.begin(), originals.begin() + i, from->other) - originals.begin())];
        }
        copies[i] = previous = to;
    }
    return previous;
}

template <class Pmr>
bench::Sample run_pmr(const Traffic& traffic) {
    Pmr pmr(kMostBytes + kObjects * 8);
    std::vector<PlainItem*> cache(traffic.cache);
    const auto make = [&arena = pmr.arena](PlainItem* previous, PlainItem* other, std::uint64_t words) {
        return new (arena.allocate(sizeof(PlainItem) + words * 8, alignof(PlainItem)))
            PlainItem{previous, other, words};
    };
    const auto request = [&](bench::Prng& random, std::uint64_t number, std::uint32_t slot) {
        PlainItem* kept;
        const PlainItem* last = build<PlainItem>(make, random, number, kept);
        const std::uint64_t sum = answer(last);
        if (slot != LruIndex::kNone) {
            free_chain(cache[slot], bench::Glibc::release);
            cache[slot] = copy_out(kept);
        }
        pmr.arena.release();
        return sum;
    };
    return serve(traffic, request, [&](std::uint32_t slot) -> const PlainItem* { return cache[slot]; });
}

// Single blocks need no copy: what is kept is not freed.
template <class Allocator>
bench::Sample run_allocator(const Traffic& traffic) {
    std::vector<PlainItem*> cache(traffic.cache);
    const auto make = [](PlainItem* previous, PlainItem* other, std::uint64_t words) {
        return new (Allocator::allocate(sizeof(PlainItem) + words * 8)) PlainItem{previous, other, words};
    };
    const auto request = [&](bench::Prng& random, std::uint64_t number, std::uint32_t slot) {
        PlainItem* kept;
        PlainItem* last = build<PlainItem>(make, random, number, kept);
        const std::uint64_t sum = answer(last);
        if (slot != LruIndex::kNone) {
            free_chain(cache[slot], Allocator::release);
            cache[slot] = kept;
        }
        while (last && !(slot != LruIndex::kNone && last == kept)) {
            PlainItem* previous = last->previous;
            Allocator::release(last);
            last = previous;
        }
        return sum;
    };
    return serve(traffic, request, [&](std::uint32_t slot) -> const PlainItem* { return cache[slot]; });
}

}  // namespace

int main(int argc, char** argv) {
    int requests = 200'000;
    const auto options = bench::start(argc, argv, "requests of 500 objects, 1 % keeps ten of them", 7,
                                      {{"--requests", "requests in one run of a contender", &requests}});
    const auto count = static_cast<std::uint32_t>(options.sized(requests));
    const Traffic traffic{.requests = count};
    bench::keep_freed_memory();

    bench::Contest contest("requests");
    const auto add = [&](const char* name, bench::Sample (*run)(const Traffic&)) {
        contest.add(name, [=] { return bench::run_in_child([=] { return run(traffic); }, kPeak); });
    };
    add("perfloc", run_ours);
    add(bench::PmrUpstream::kName, run_pmr<bench::PmrUpstream>);
    add(bench::PmrBuffer::kName, run_pmr<bench::PmrBuffer>);
    add(bench::Mimalloc::kName, run_allocator<bench::Mimalloc>);
    add(bench::Glibc::kName, run_allocator<bench::Glibc>);
    contest.run(options.rounds, false);

    const std::string pmr = contest.fastest({bench::PmrUpstream::kName, bench::PmrBuffer::kName});
    bench::Table table;
    const auto compare = [&](const char* what, const std::string& theirs, Figure figure,
                             std::optional<bench::Bar> bar) {
        table.row(std::string(what) + ": perfloc / " + theirs, contest.ratio("perfloc", theirs, figure), "x", bar);
    };
    compare("total", pmr, kTotal, 1.0);
    compare("total", bench::Mimalloc::kName, kTotal, 0.6);
    compare("total", bench::Glibc::kName, kTotal, std::nullopt);
    compare("99.9 % of requests", pmr, kP999, 1.1);
    compare("99.9 % of requests", bench::Mimalloc::kName, kP999, 1.1);
    compare("worst request", pmr, kWorst, std::nullopt);
    compare("worst request", bench::Mimalloc::kName, kWorst, std::nullopt);
    compare("peak memory", pmr, kPeak, 1.15);
    for (const char* name :
         {"perfloc", bench::PmrUpstream::kName, bench::PmrBuffer::kName, bench::Mimalloc::kName, bench::Glibc::kName}) {
        const std::string who = name;
        table.row(who + ", a request", contest.figure(name, kTotal).scaled(1e6 / count), "us");
        table.row(who + ", 99.9 % of requests", contest.figure(name, kP999).scaled(1e6), "us");
        table.row(who + ", worst request", contest.figure(name, kWorst).scaled(1e6), "us");
        table.row(who + ", peak memory", contest.figure(name, kPeak).scaled(1.0 / (1 << 20)), "MiB");
    }
    table.print();
}
