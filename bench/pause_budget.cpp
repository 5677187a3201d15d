// The promise: a scope of 1 GiB ends while 0 to 100 % of it escapes, and no pause is longer than the budget. Against
// the baseline's one pause on the same graph.
#include <fmt/core.h>

#include <optional>
#include <string>

#include "support/contest.hpp"
#include "support/options.hpp"
#include "support/pauses.hpp"
#include "support/scope_run.hpp"
#include "support/table.hpp"

namespace {

using namespace perfloc::literals;

constexpr double kWorkItem = 10e-6;  // by which a slice may overrun: the last bounded item that it began

void report(bench::Table& table, const bench::Contest& contest, const std::string& who, double budget) {
    using namespace bench;
    const auto us = [&](const char* what, ScopeFigure figure, std::optional<Bar> bar = std::nullopt) {
        table.row(fmt::format("{}: {}", who, what), contest.figure(who, figure).scaled(1e6), "us", bar);
    };
    const auto ms = [&](const char* what, ScopeFigure figure) {
        table.row(fmt::format("{}: {}", who, what), contest.figure(who, figure).scaled(1e3), "ms");
    };
    us("longest pause, CPU", kLongest, (budget + kWorkItem) * 1e6);
    us("longest pause, wall", kLongestWall);
    us("the scope's end, CPU", kLongestEnd);
    us("longest poll, CPU", kLongestPoll);
    us("longest in work, CPU", kLongestInWork);
    us("99 % of slices, CPU", kP99);
    us("99.9 % of slices, CPU", kP999);
    us("noise without the heap, longest, CPU", kLongestNoise);
    us("noise without the heap, 99.9 %, CPU", kNoiseP999);
    table.row(who + ": slices within the budget", contest.figure(who, kWithin).scaled(100), "%", at_least(99.9));
    table.row(who + ": noise without the heap: turns of 20 us within it", contest.figure(who, kNoiseWithin).scaled(100),
              "%");
    table.row(who + ": slices", contest.figure(who, kSlices), "");
    table.row(who + ": MMU(10 ms), CPU", contest.figure(who, kUtilization), "", at_least(0.9));
    table.row(who + ": the same of polls and ends alone", contest.figure(who, kUtilizationOfCalls), "");
    table.row(who + ": the same of the noise without the heap", contest.figure(who, kNoiseUtilization), "");
    ms("all pauses, CPU", kPauseTotal);
    ms("until nothing is left, wall", kSettledWall);
    ms("until nothing is left, CPU of all threads", kProcessCpu);
    table.row(who + ": peak memory", contest.figure(who, kPeak).scaled(1.0 / (1 << 20)), "MiB");
}

void compare(const bench::Options& options, perfloc::Bytes bytes, int percent, int budget, int tight) {
    const auto name_of = [](int us) { return fmt::format("{} us", us); };
    const auto run_of = [=](int us) {
        return bench::ScopeRun{.bytes = bytes, .share = percent / 100.0, .budget = us * 1e-6};
    };
    bench::Contest contest(fmt::format("{} % escape", percent));
    contest.add(name_of(budget), [=] { return bench::run_hinted_scope(run_of(budget)); });
    if (tight != budget) contest.add(name_of(tight), [=] { return bench::run_hinted_scope(run_of(tight)); });
    contest.add("alone", [=] { return bench::run_scope_alone(run_of(budget)); });
    contest.add("beside", [=] {
        bench::ScopeRun run = run_of(budget);
        run.beside = true;
        return bench::run_scope_alone(run);
    });
    contest.add("baseline", [=] { return bench::run_baseline_scope(run_of(budget)); });
    contest.run(options.rounds, false);

    // Smaller, or it would take a minute of the mutator's share of time.
    bench::Contest slices(fmt::format("{} % escape, no collector thread", percent));
    slices.add("no thread", [=] {
        bench::ScopeRun run = run_of(budget);
        run.bytes = bytes / 8;
        run.thread = false;
        return bench::run_hinted_scope(run);
    });
    slices.run(options.rounds, false);

    bench::Table table;
    report(table, contest, name_of(budget), budget * 1e-6);
    const std::string no_thread = name_of(budget) + ", no collector thread, an eighth of the scope: ";
    table.row(no_thread + "longest pause, CPU", slices.figure("no thread", bench::kLongest).scaled(1e6), "us");
    table.row(no_thread + "slices within the budget", slices.figure("no thread", bench::kWithin).scaled(100), "%");
    table.row(no_thread + "until nothing is left, wall", slices.figure("no thread", bench::kSettledWall).scaled(1e3),
              "ms");
    table.row("no collector: longest in work, CPU", contest.figure("alone", bench::kLongestInWork).scaled(1e6), "us");
    table.row("no collector: MMU(10 ms), CPU", contest.figure("alone", bench::kUtilization), "");
    table.row("no collector, beside a thread that copies memory: longest in work, CPU",
              contest.figure("beside", bench::kLongestInWork).scaled(1e6), "us");
    table.row("no collector, beside a thread that copies memory: MMU(10 ms), CPU",
              contest.figure("beside", bench::kUtilization), "");
    table.row("baseline's pause, CPU", contest.figure("baseline", bench::kLongest).scaled(1e3), "ms");
    table.row("baseline's pause, wall", contest.figure("baseline", bench::kLongestWall).scaled(1e3), "ms");
    table.row("baseline: peak memory", contest.figure("baseline", bench::kPeak).scaled(1.0 / (1 << 20)), "MiB");
    table.row("baseline's pause / longest pause, CPU", contest.ratio("baseline", name_of(budget), bench::kLongest), "x",
              options.quick ? std::nullopt : std::optional(bench::at_least(2000)));
    if (tight != budget) {
        report(table, contest, name_of(tight), tight * 1e-6);
        table.row(fmt::format("all pauses, {} us / {} us", tight, budget),
                  contest.ratio(name_of(tight), name_of(budget), bench::kPauseTotal), "x", 2.0);
        table.row(fmt::format("until nothing is left, wall, {} us / {} us", tight, budget),
                  contest.ratio(name_of(tight), name_of(budget), bench::kSettledWall));
    }
    table.print();
}

}  // namespace

int main(int argc, char** argv) {
    int budget = 100, tight = 20;
    const auto options = bench::start(
        argc, argv, "pauses after the end of a scope of 1 GiB", 3,
        {{"--budget", "of a pause, in us", &budget}, {"--tight", "a second budget, for comparison", &tight}});
    bench::print_clock_cost();
    const perfloc::Bytes bytes = options.sized(1_GiB);
    for (const int percent : {0, 1, 10, 50, 100}) compare(options, bytes, percent, budget, tight);
}
