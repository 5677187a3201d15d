// A pause must not depend on the heap around it: a scope of 1 GiB, of which a tenth escapes, ends inside 64 MiB to
// 4 GiB of live objects.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/pauses.hpp"
#include "support/scope_run.hpp"
#include "support/stats.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

constexpr std::array<perfloc::Bytes, 4> kOutside = {64_MiB, 256_MiB, 1_GiB, 4_GiB};

// In each round, the largest over the smallest.
bench::Spread flatness(const bench::Contest& contest, const std::vector<std::string>& names, std::size_t figure) {
    const std::size_t rounds = contest.samples(names.front()).size();
    std::vector<double> ratios;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<double> values;
        for (const std::string& name : names) values.push_back(contest.samples(name)[round].figures.at(figure));
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        ratios.push_back(*high / *low);
    }
    return bench::spread_of(std::move(ratios));
}

}  // namespace

int main(int argc, char** argv) {
    int budget = 100;
    const auto options =
        bench::start(argc, argv, "pauses after the end of a scope of 1 GiB, by the live heap around it", 3,
                     {{"--budget", "of a pause, in us", &budget}});
    bench::print_clock_cost();

    bench::Contest contest("10 % escape");
    std::vector<std::string> names;
    for (const perfloc::Bytes full : kOutside) {
        const perfloc::Bytes outside = options.sized(full);
        names.push_back(fmt::format("{} MiB outside", outside >> 20));
        const bench::ScopeRun run{
            .bytes = options.sized(1_GiB), .share = 0.1, .outside = outside, .budget = budget * 1e-6};
        contest.add(names.back(), [=] { return bench::run_hinted_scope(run); });
    }
    contest.run(options.rounds, false);

    bench::Table table;
    table.row("longest pause, CPU: largest / smallest", flatness(contest, names, bench::kLongest), "x", 1.5);
    table.row("longest pause, wall: largest / smallest", flatness(contest, names, bench::kLongestWall));
    table.row("all pauses, CPU: largest / smallest", flatness(contest, names, bench::kPauseTotal));
    for (const std::string& name : names) {
        table.row(name + ": longest pause, CPU", contest.figure(name, bench::kLongest).scaled(1e6), "us");
        table.row(name + ": longest pause, wall", contest.figure(name, bench::kLongestWall).scaled(1e6), "us");
        table.row(name + ": the scope's end, CPU", contest.figure(name, bench::kLongestEnd).scaled(1e6), "us");
        table.row(name + ": longest poll, CPU", contest.figure(name, bench::kLongestPoll).scaled(1e6), "us");
        table.row(name + ": longest in work, CPU", contest.figure(name, bench::kLongestInWork).scaled(1e6), "us");
        table.row(name + ": noise without the heap, longest, CPU",
                  contest.figure(name, bench::kLongestNoise).scaled(1e6), "us");
        table.row(name + ": 99.9 % of slices, CPU", contest.figure(name, bench::kP999).scaled(1e6), "us");
        table.row(name + ": MMU(10 ms), CPU", contest.figure(name, bench::kUtilization), "", bench::at_least(0.9));
        table.row(name + ": until nothing is left, wall", contest.figure(name, bench::kSettledWall).scaled(1e3), "ms");
        table.row(name + ": peak memory", contest.figure(name, bench::kPeak).scaled(1.0 / (1 << 20)), "MiB");
    }
    table.print();
}
