// A cache that never ends: an LRU of 1,000,000 linked entries in one scope, whose garbage no end of a scope announces.
// Its memory against what is alive, and its worst operation. Each contender runs in a child of its own.
#include <perfloc/perfloc.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/operations.hpp"
#include "support/options.hpp"
#include "support/peers.hpp"
#include "support/prng.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

constexpr std::uint32_t kParts = 10;  // of a run, for memory over time

enum Figure : std::size_t { kTotal, kCpu, kP9999, kWorst, kWorstCpu, kLive, kMostUsed, kPeak, kUsedByPart };

struct Load {
    std::uint32_t entries, operations;
    std::uint32_t poll_every;  // operations
    std::uint32_t budget;      // of a pause, in us
    std::uint32_t buckets() const { return entries; }
    std::uint32_t keys() const { return 2 * entries; }  // so that half of the look-ups miss
};

struct Entry {  // 0 to 4 words follow: 48 to 80 bytes with the header
    perfloc::Ref<Entry> bucket, newer, older;
    std::uint64_t key, value;
};

struct PlainEntry {
    PlainEntry* bucket;
    PlainEntry* newer;
    PlainEntry* older;
    std::uint64_t key, value;
};

struct Ends {
    perfloc::Ref<Entry> newest, oldest;
};

struct PlainEnds {
    PlainEntry* newest = nullptr;
    PlainEntry* oldest = nullptr;
};

std::size_t extra_bytes(std::uint64_t key) { return 8 * (key % 5); }
std::size_t bytes_of(std::uint64_t key) { return sizeof(Entry) + 8 + extra_bytes(key); }
std::uint32_t bucket_of(std::uint64_t key, const Load& load) {
    return static_cast<std::uint32_t>((key * 0x9e3779b97f4a7c15 >> 32) * load.buckets() >> 32);
}

// The cache as all contenders have it. `make(key)` allocates an entry and `drop(entry)` lets one go.
template <class E, class AnyEnds, class Table, class Make, class Drop>
class Lru {
public:
    Lru(const Load& load, AnyEnds& ends, Table& table, std::size_t& live, Make& make, Drop& drop)
        : load_(load), ends_(ends), table_(table), live_(live), make_(make), drop_(drop) {}

    // The value of a hit, which becomes the newest; a miss replaces the oldest when `full`, and gives zero.
    std::uint64_t use(std::uint64_t key, std::uint64_t value, bool full) {
        auto& bucket = table_[bucket_of(key, load_)];
        for (E* entry = bucket; entry; entry = entry->bucket) {
            if (entry->key != key) continue;
            unlink(entry);
            link(entry);
            return entry->value;
        }
        if (full) evict(ends_.oldest);
        E* const entry = make_(key);
        entry->value = value;
        entry->bucket = bucket;
        bucket = entry;
        link(entry);
        live_ += bytes_of(key);
        return 0;
    }

private:
    void link(E* entry) {
        E* const newest = ends_.newest;
        entry->older = newest;
        entry->newer = nullptr;
        if (newest) {
            newest->newer = entry;
        } else {
            ends_.oldest = entry;
        }
        ends_.newest = entry;
    }
    void unlink(E* entry) {
        E* const newer = entry->newer;
        E* const older = entry->older;
        if (newer) {
            newer->older = older;
        } else {
            ends_.newest = older;
        }
        if (older) {
            older->newer = newer;
        } else {
            ends_.oldest = newer;
        }
    }
    void evict(E* entry) {
        unlink(entry);
        auto* slot = &table_[bucket_of(entry->key, load_)];
        while (static_cast<E*>(*slot) != entry) slot = &static_cast<E*>(*slot)->bucket;
        *slot = static_cast<E*>(entry->bucket);
        live_ -= bytes_of(entry->key);
        drop_(entry);
    }

    const Load& load_;
    AnyEnds& ends_;
    Table& table_;
    std::size_t& live_;
    Make& make_;
    Drop& drop_;
};

// Fills the cache and then times the operations. `use(key, value, full)` is one, and what it needs before; `used()` is
// what the heap uses by its own account, in bytes.
template <class Use, class Used>
bench::Sample churn(const Load& load, const std::size_t& live, Use&& use, Used&& used) {
    for (std::uint32_t i = 0; i < load.entries; ++i) use(2 * std::uint64_t{i}, i, false);

    bench::Prng random(5);
    bench::Sample sample;
    bench::OperationClock clock;
    double most_live = 0;
    const std::int64_t wall = bench::wall_ns(), cpu = bench::process_cpu_ns();
    clock.start();
    for (std::uint32_t i = 0; i < load.operations; ++i) {
        sample.checksum = sample.checksum * 7 + use(random.below(load.keys()), i, true);
        if (i % 1024 == 0) {
            const double now = static_cast<double>(live);
            double& most = sample.figures[kUsedByPart + std::uint64_t{i} * kParts / load.operations];
            most = std::max(most, static_cast<double>(used()) / now);
            sample.figures[kMostUsed] = std::max(sample.figures[kMostUsed], most);
            most_live = std::max(most_live, now);
        }
        clock.lap();
    }
    sample.figures[kTotal] = static_cast<double>(bench::wall_ns() - wall) * 1e-9;
    sample.figures[kCpu] = static_cast<double>(bench::process_cpu_ns() - cpu) * 1e-9;
    sample.figures[kP9999] = clock.percentile(0.9999);
    sample.figures[kWorst] = clock.worst_wall();
    sample.figures[kWorstCpu] = clock.worst_cpu();
    sample.figures[kLive] = most_live;
    return sample;
}

bench::Sample run_perfloc(const Load& load, perfloc::Collector collector) {
    perfloc::Options options;
    options.limit = 8_GiB;  // far: nothing but the heap's own growth bounds it
    options.collector = collector;
    options.pauses.max = std::chrono::microseconds(load.budget);
    perfloc::Heap heap(options);
    perfloc::Mutator me(heap);
    perfloc::Scope server{"server"};
    const auto ends = perfloc::make<Ends>();
    const auto table = perfloc::make_array<perfloc::Ref<Entry>>(load.buckets());
    std::size_t live = load.buckets() * 8;
    const auto make = [](std::uint64_t key) {
        return perfloc::make_raw<Entry>(perfloc::ExtraBytes{extra_bytes(key)}, nullptr, nullptr, nullptr, key, 0u);
    };
    const auto drop = [](Entry*) {};
    std::uint32_t operations = 0;
    const auto use = [&](std::uint64_t key, std::uint64_t value, bool full) {
        if (operations++ % load.poll_every == 0) perfloc::poll();
        return Lru<Entry, Ends, perfloc::Array<perfloc::Ref<Entry>>, decltype(make), decltype(drop)>(
                   load, *ends, *table, live, make, drop)
            .use(key, value, full);
    };
    return churn(load, live, use, [&] { return heap.stats().used_bytes(); });
}

template <class Allocator>
bench::Sample run_allocator(const Load& load) {
    PlainEnds ends;
    std::vector<PlainEntry*> table(load.buckets());
    std::size_t live = load.buckets() * 8;
    const auto make = [](std::uint64_t key) {
        return new (Allocator::allocate(sizeof(PlainEntry) + extra_bytes(key)))
            PlainEntry{nullptr, nullptr, nullptr, key, 0};
    };
    const auto drop = [](PlainEntry* entry) { Allocator::release(entry); };
    Lru<PlainEntry, PlainEnds, std::vector<PlainEntry*>, decltype(make), decltype(drop)> lru(load, ends, table, live,
                                                                                             make, drop);
    const auto use = [&](std::uint64_t key, std::uint64_t value, bool full) { return lru.use(key, value, full); };
    return churn(load, live, use, [] { return 0; });
}

}  // namespace

int main(int argc, char** argv) {
    int entries = 1'000'000, operations = 10'000'000, poll_every = 64, budget = 100;
    const auto options =
        bench::start(argc, argv, "churn in a cache of 1,000,000 linked entries, 10 million operations", 5,
                     {{"--entries", "of the cache", &entries},
                      {"--operations", "look-ups, half of which miss", &operations},
                      {"--poll-every", "operations", &poll_every},
                      {"--budget", "of a pause, in us", &budget}});
    const auto count = [](int n) { return static_cast<std::uint32_t>(n); };
    const Load load{count(options.sized(entries)), count(options.sized(operations)), count(poll_every), count(budget)};
    bench::keep_freed_memory();

    bench::Contest contest("churn");
    const auto add = [&](const char* name, auto run) {
        contest.add(name, [=] { return bench::run_in_child([=] { return run(load); }, kPeak); });
    };
    add("hinted", [](const Load& l) { return run_perfloc(l, perfloc::Collector::hinted); });
    add("full", [](const Load& l) { return run_perfloc(l, perfloc::Collector::full); });
    add(bench::Glibc::kName, run_allocator<bench::Glibc>);
    add(bench::Mimalloc::kName, run_allocator<bench::Mimalloc>);
    contest.run(options.rounds, false);

    bench::Table table;
    for (const char* name : {"hinted", "full", bench::Glibc::kName, bench::Mimalloc::kName}) {
        const std::string who = name;
        const bool ours = who == "hinted", managed = ours || who == "full";
        const auto bar = [&](double most) { return ours ? std::optional<bench::Bar>(most) : std::nullopt; };
        if (managed) table.row(who + ": most memory used / live", contest.figure(name, kMostUsed), "x", bar(2));
        std::vector<double> peaks;
        for (const bench::Sample& sample : contest.samples(name)) {
            peaks.push_back(sample.figures[kPeak] / sample.figures[kLive]);
        }
        table.row(who + ": peak resident / live", bench::spread_of(std::move(peaks)), "x", bar(2));
        table.row(who + ": worst operation, CPU", contest.figure(name, kWorstCpu).scaled(1e6), "us",
                  bar(1e3 + options.noise.cpu * 1e6));
        table.row(who + ": worst operation, wall", contest.figure(name, kWorst).scaled(1e6), "us",
                  bar(1e3 + options.noise.wall * 1e6));
        table.row(who + ": 99.99 % of operations, wall", contest.figure(name, kP9999).scaled(1e6), "us");
        table.row(who + ": an operation, wall", contest.figure(name, kTotal).scaled(1e9 / load.operations), "ns");
        table.row(who + ": an operation, CPU of all threads", contest.figure(name, kCpu).scaled(1e9 / load.operations),
                  "ns");
        for (std::uint32_t part = 0; managed && part < kParts; ++part) {
            table.row(fmt::format("{}: used / live, in part {} of {}", who, part + 1, kParts),
                      contest.figure(name, kUsedByPart + part));
        }
    }
    table.row("live", contest.figure("hinted", kLive).scaled(1.0 / (1 << 20)), "MiB");
    for (const char* theirs : {bench::Glibc::kName, bench::Mimalloc::kName, "full"}) {
        table.row(std::string("total, wall: hinted / ") + theirs, contest.ratio("hinted", theirs));
    }
    table.print();
}
