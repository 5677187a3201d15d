#include "scope_run.hpp"

#include <perfloc/perfloc.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "child.hpp"
#include "clock.hpp"
#include "escape.hpp"
#include "escape_graph.hpp"
#include "pauses.hpp"
#include "prng.hpp"

namespace bench {

namespace {

using namespace perfloc::literals;

constexpr int kScopes = 4, kObjects = 32;  // small ones, in each turn of the main loop
constexpr int kRelinks = 4;
constexpr int kOwnSteps = 10'000;  // of arithmetic, about a nanosecond each
constexpr int kTurnsPerLook = 64;
constexpr double kPatience = 60, kAfterwards = 20e-3, kAlone = 0.5;  // seconds

perfloc::Options options_of(const ScopeRun& run, perfloc::Collector collector) {
    perfloc::Options options;
    options.limit = 2 * (run.bytes + run.outside) + 1_GiB;
    options.collector = collector;
    options.collector_thread = run.thread;
    options.pauses.max = std::chrono::nanoseconds(static_cast<std::int64_t>(run.budget * 1e9));
    options.full_minimum = options.limit;  // the baseline collects when it is told to
    return options;
}

// The outer scope's graph, and the chains that are to escape.
struct Graph {
    explicit Graph(const ScopeRun& run)
        : outside_plan(run.outside, 1),
          plan(run.bytes, run.share),
          outside(outside_plan.escaping_chains()),
          escaped(plan.escaping_chains()) {
        outside.make_chains(outside_plan);
    }
    ChainPlan outside_plan, plan;
    ChainTable outside, escaped;
};

// Requests that leave nothing behind, and some that change the outer graph.
void work_with_heap(Graph& graph, Prng& random) {
    for (int i = 0; i < kScopes; ++i) {
        perfloc::Scope scope{"small"};
        Link* list = nullptr;
        for (int j = 0; j < kObjects; ++j) list = perfloc::make_raw<Link>(list, list);
        keep(list);
    }
    for (int i = 0; i < kRelinks; ++i) {
        graph.escaped.relink(random);
        if (i == 0) graph.outside.relink(random);
    }
}

void work_without_heap(Prng& random) {
    std::uint64_t sum = 0;
    for (int i = 0; i < kOwnSteps; ++i) sum ^= random();
    keep(sum);
}

// Turns of 20 to 50 us: a poll, work with the heap, work without. Every so often the poll asks whether anything is
// left, which is timed as a poll is.
class MainLoop {
public:
    MainLoop(perfloc::Mutator& me, Graph& graph, PauseLog& log) : me_(me), graph_(graph), log_(log) {}

    // Returns after so many seconds, or before when nothing is left.
    bool run_until_settled(double patience) {
        const std::int64_t end = wall_ns() + static_cast<std::int64_t>(patience * 1e9);
        while (wall_ns() < end) {
            for (int i = 1; i < kTurnsPerLook; ++i) turn([] { perfloc::poll(); });
            bool settled = false;
            turn([&] { settled = me_.collect_until(Clock::now()); });
            if (settled) return true;
        }
        return false;
    }

    void run_for(double seconds) {
        const std::int64_t end = wall_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (wall_ns() < end) turn([] { perfloc::poll(); });
    }

private:
    template <class F>
    void turn(F&& safepoint) {
        log_.time(PauseLog::Part::poll, safepoint);
        log_.time(PauseLog::Part::work, [&] { work_with_heap(graph_, random_); });
        log_.time(PauseLog::Part::own, [&] { work_without_heap(random_); });
    }

    perfloc::Mutator& me_;
    Graph& graph_;
    PauseLog& log_;
    Prng random_;
};

// The program under one collector, before its large scope.
struct Program {
    Program(const ScopeRun& run, perfloc::Collector collector)
        : heap(options_of(run, collector)), graph(run), log(run.budget) {}

    perfloc::Heap heap;
    perfloc::Mutator me{heap};
    perfloc::Scope outer{"outer"};
    Graph graph;
    PauseLog log;
    MainLoop loop{me, graph, log};
};

Sample hinted(const ScopeRun& run) {
    Program program(run, perfloc::Collector::hinted);
    Graph& graph = program.graph;
    PauseLog& log = program.log;
    std::optional<perfloc::Scope> scope(std::in_place, perfloc::Label("large"));
    graph.escaped.make_chains(graph.plan);
    const std::int64_t wall = wall_ns(), cpu = process_cpu_ns();
    log.time(PauseLog::Part::end, [&] { scope.reset(); });
    if (!program.loop.run_until_settled(kPatience)) {
        fmt::print(stderr, "bench: not settled after {} s\n", kPatience);
        std::exit(1);
    }

    Sample sample;
    sample.figures[kSettledWall] = static_cast<double>(wall_ns() - wall) * 1e-9;
    sample.figures[kProcessCpu] = static_cast<double>(process_cpu_ns() - cpu) * 1e-9;
    program.loop.run_for(kAfterwards);
    const PauseFigures pauses = log.figures();
    sample.figures[kLongest] = pauses.longest;
    sample.figures[kLongestWall] = pauses.longest_wall;
    sample.figures[kLongestEnd] = pauses.longest_end;
    sample.figures[kLongestPoll] = pauses.longest_poll;
    sample.figures[kLongestInWork] = pauses.longest_in_work;
    sample.figures[kLongestNoise] = pauses.longest_noise;
    sample.figures[kNoiseP999] = pauses.noise_p999;
    sample.figures[kNoiseWithin] = pauses.noise_within;
    sample.figures[kNoiseUtilization] = pauses.noise_utilization;
    sample.figures[kP99] = pauses.p99;
    sample.figures[kP999] = pauses.p999;
    sample.figures[kWithin] = pauses.within;
    sample.figures[kSlices] = pauses.slices;
    sample.figures[kPauseTotal] = pauses.total;
    sample.figures[kUtilization] = pauses.utilization;
    sample.figures[kUtilizationOfCalls] = pauses.utilization_of_calls;
    sample.checksum = graph.escaped.check();
    return sample;
}

void copy_memory(const std::stop_token& stop) {
    constexpr std::size_t kPiece = 64 << 10;
    std::vector<char> from(256 * kPiece, 1), to(from.size());
    for (std::size_t at = 0; !stop.stop_requested(); at = (at + kPiece) % from.size()) {
        std::memcpy(&to[at], &from[at], kPiece);
        keep(to[at]);
    }
}

// The same program for half a second, without any collector: by how much its work varies by itself, for instance since what
// it has just made is in no cache.
Sample alone(const ScopeRun& run) {
    Program program(run, perfloc::Collector::none);
    {
        perfloc::Scope scope{"large"};
        program.graph.escaped.make_chains(program.graph.plan);
    }
    std::optional<std::jthread> other;
    if (run.beside) other.emplace(copy_memory);
    program.loop.run_for(kAlone);
    other.reset();
    const PauseFigures pauses = program.log.figures();
    Sample sample;
    sample.figures[kLongestInWork] = pauses.longest_in_work;
    sample.figures[kUtilization] = pauses.utilization;
    sample.checksum = program.graph.escaped.check();
    return sample;
}

Sample baseline(const ScopeRun& run) {
    perfloc::Heap heap(options_of(run, perfloc::Collector::full));
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    Graph graph(run);
    {
        perfloc::Scope scope{"large"};
        graph.escaped.make_chains(graph.plan);
    }
    PauseLog log(run.budget);
    log.time(PauseLog::Part::poll, [&] { heap.collect_full(); });
    const PauseFigures pauses = log.figures();

    Sample sample;
    sample.figures[kLongest] = sample.figures[kPauseTotal] = sample.figures[kProcessCpu] = pauses.longest;
    sample.figures[kLongestWall] = sample.figures[kSettledWall] = pauses.longest_wall;
    sample.checksum = graph.escaped.check();
    return sample;
}

}  // namespace

Sample run_hinted_scope(const ScopeRun& run) {
    return run_in_child([&] { return hinted(run); }, kPeak);
}

Sample run_scope_alone(const ScopeRun& run) {
    return run_in_child([&] { return alone(run); }, kPeak);
}

Sample run_baseline_scope(const ScopeRun& run) {
    return run_in_child([&] { return baseline(run); }, kPeak);
}

}  // namespace bench
