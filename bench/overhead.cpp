// What collecting costs a server: its requests under `hinted`, in a heap of three times what is alive, against a heap
// that never collects and has all the memory that this takes.
#include <perfloc/perfloc.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <string>

#include "support/child.hpp"
#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/requests.hpp"
#include "support/table.hpp"

namespace {

using namespace bench::requests;
using namespace perfloc::literals;

constexpr std::size_t kUsed = 5, kCollections = 6;  // figures, behind those of requests

bench::Sample run(const Traffic& traffic, const perfloc::Options& options) {
    return run_perfloc(traffic, options, [](perfloc::Heap& heap, bench::Sample& sample) {
        const perfloc::Stats stats = heap.stats();
        sample.figures[kUsed] = static_cast<double>(stats.used_bytes());
        sample.figures[kCollections] = static_cast<double>(stats.full_collections() + stats.scope_collections());
    });
}

// What is alive at the end, by a full collection there.
perfloc::Bytes live_bytes(const Traffic& traffic) {
    const bench::Sample sample = bench::run_in_child(
        [&] {
            return run_perfloc(traffic, {.limit = 4_GiB}, [](perfloc::Heap& heap, bench::Sample& end) {
                heap.collect_full();
                end.figures[kUsed] = static_cast<double>(heap.stats().last_full().live_bytes);
            });
        },
        kPeak);
    return static_cast<perfloc::Bytes>(sample.figures[kUsed]);
}

}  // namespace

int main(int argc, char** argv) {
    int requests = 30'000, times = 3;
    const auto options = bench::start(argc, argv, "requests under hinted, against none", 7,
                                      {{"--requests", "in one run; each takes 85 KB for good under none", &requests},
                                       {"--times", "the live size is the heap's limit", &times}});
    // More is kept than in `requests`, in a smaller cache that is full from the start, so that it turns over some times.
    const auto count = static_cast<std::uint32_t>(options.quick ? requests / 3 : requests);
    const Traffic traffic{.requests = count, .cache = 2'000, .keep_every = 2, .full = true};
    const perfloc::Bytes live = live_bytes(traffic), limit = live * static_cast<perfloc::Bytes>(times);
    const perfloc::Bytes all = perfloc::Bytes{count + traffic.cache} * 100'000 + 64_MiB;
    fmt::print("live {:.1f} MiB, limit {:.1f} MiB\n", static_cast<double>(live) / 0x1p20,
               static_cast<double>(limit) / 0x1p20);

    // Both heaps have their pages before the first request: what the first touch of memory costs is no collector's.
    bench::Contest contest("overhead");
    const auto add = [&](const char* name, const perfloc::Options& heap) {
        contest.add(name, [=] { return bench::run_in_child([=] { return run(traffic, heap); }, kPeak); });
    };
    perfloc::Options hinted, roomy, none;
    hinted.limit = hinted.prefault = limit;
    roomy.limit = 1_GiB;  // its garbage is only what the ends of scopes release
    roomy.prefault = 256_MiB;
    none.collector = perfloc::Collector::none;
    none.limit = none.prefault = all;
    add("hinted", hinted);
    add("hinted, roomy", roomy);
    add("none", none);
    contest.run(options.rounds, false);

    bench::Table table;
    table.row("total, wall: hinted / none", contest.ratio("hinted", "none", kTotal), "x", 1.05);
    table.row("total, CPU of all threads: hinted / none", contest.ratio("hinted", "none", kCpu), "x", 1.10);
    table.row("total, wall: hinted / hinted, roomy", contest.ratio("hinted", "hinted, roomy", kTotal));
    table.row("total, CPU of all threads: hinted / hinted, roomy", contest.ratio("hinted", "hinted, roomy", kCpu));
    table.row("99.9 % of requests: hinted / none", contest.ratio("hinted", "none", kP999));
    table.row("worst request, wall: hinted / none", contest.ratio("hinted", "none", kWorst));
    for (const char* name : {"hinted", "hinted, roomy", "none"}) {
        const std::string who = name;
        table.row(who + ": a request, wall", contest.figure(name, kTotal).scaled(1e6 / count), "us");
        table.row(who + ": worst request, wall", contest.figure(name, kWorst).scaled(1e6), "us");
        table.row(who + ": collections", contest.figure(name, kCollections), "");
        table.row(who + ": used at the end", contest.figure(name, kUsed).scaled(1.0 / (1 << 20)), "MiB");
        table.row(who + ": peak memory", contest.figure(name, kPeak).scaled(1.0 / (1 << 20)), "MiB");
    }
    table.print();
}
