// The collection of ended scopes against the full collector, by total time to the same end: large scopes of which 0 to
// 100 % escapes, work between them, and then until nothing is left to collect.
#include <perfloc/perfloc.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "support/child.hpp"
#include "support/clock.hpp"
#include "support/contest.hpp"
#include "support/escape_graph.hpp"
#include "support/options.hpp"
#include "support/prng.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

enum Figure : std::size_t { kTotal, kCpu, kLeft, kLeftBytes, kPeak };

constexpr int kScopes = 32;
constexpr int kKept = 4;      // what escaped from so many scopes is alive: later ones replace it
constexpr int kTurns = 2000;  // of work between two scopes, each with a poll

bench::Sample run(perfloc::Bytes scope_bytes, double share, perfloc::Collector collector) {
    perfloc::Heap heap({.limit = 8_GiB, .collector = collector});
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    const bench::ChainPlan plan(scope_bytes, share);
    bench::ChainTable table(plan.escaping_chains() * kKept);
    bench::Prng random;

    bench::Sample sample;
    const std::int64_t wall = bench::wall_ns(), cpu = bench::process_cpu_ns();
    for (int i = 0; i < kScopes; ++i) {
        {
            perfloc::Scope scope{"large"};
            table.make_chains(plan);
        }
        for (int turn = 0; turn < kTurns; ++turn) {
            perfloc::poll();
            table.relink(random);
        }
    }
    const std::int64_t worked = bench::wall_ns();
    const bool settled = me.collect_until(bench::Clock::now() + std::chrono::minutes(1));
    const std::int64_t done = bench::wall_ns();
    if (!settled) {
        fmt::print(stderr, "bench: not settled after a minute\n");
        std::exit(1);
    }
    sample.figures[kTotal] = static_cast<double>(done - wall) * 1e-9;
    sample.figures[kCpu] = static_cast<double>(bench::process_cpu_ns() - cpu) * 1e-9;
    sample.figures[kLeft] = static_cast<double>(done - worked) * 1e-9;
    sample.figures[kLeftBytes] = static_cast<double>(heap.stats().used_bytes());
    sample.checksum = table.check();
    return sample;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = bench::start(argc, argv, "ended scopes collected, against the whole heap", 5);
    const perfloc::Bytes bytes = options.sized(64_MiB);
    bench::Table table;
    for (const int percent : {0, 25, 50, 100}) {
        bench::Contest contest(fmt::format("{} % escape", percent));
        const auto add = [&](const char* name, perfloc::Collector collector) {
            contest.add(name, [=] {
                return bench::run_in_child([=] { return run(bytes, percent / 100.0, collector); }, kPeak);
            });
        };
        add("hinted", perfloc::Collector::hinted);
        add("full", perfloc::Collector::full);
        contest.run(options.rounds, false);

        const std::string what = fmt::format("{} % escape: ", percent);
        table.row(what + "total, wall: hinted / full", contest.ratio("hinted", "full", kTotal), "x",
                  percent <= 50 ? 1.0 : 1.1);
        table.row(what + "total, CPU of all threads: hinted / full", contest.ratio("hinted", "full", kCpu));
        table.row(what + "peak memory: hinted / full", contest.ratio("hinted", "full", kPeak));
        for (const char* name : {"hinted", "full"}) {
            table.row(what + name + ", total, wall", contest.figure(name, kTotal).scaled(1e3), "ms");
            table.row(what + name + ", after the work, wall", contest.figure(name, kLeft).scaled(1e3), "ms");
            table.row(what + name + ", used at the end", contest.figure(name, kLeftBytes).scaled(1.0 / (1 << 20)),
                      "MiB");
        }
    }
    table.print();
}
