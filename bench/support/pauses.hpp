#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "clock.hpp"

namespace bench {

// What a pause took from one thread, and where it lies in the CPU time of that thread. Nanoseconds.
struct Pause {
    std::int64_t begin;
    std::int64_t wall;
    std::int64_t cpu;
};

// Of a program's pauses. Seconds; `longest` and percentiles in CPU time unless they say wall.
struct PauseFigures {
    double longest_wall = 0, longest = 0, longest_end = 0, longest_poll = 0, longest_in_work = 0;
    // Without the runtime (Part::own), as if those had been pauses: what the machine takes is in the figures below as well.
    double longest_noise = 0, noise_p999 = 0, noise_within = 1, noise_utilization = 1;
    double p99 = 0, p999 = 0;  // of slices: what is too short to be one is not counted
    double within = 1;         // the share of slices within the budget
    double total = 0;
    double utilization = 1;           // MMU: the program's least share of a window, both in its CPU time
    double utilization_of_calls = 1;  // the same of polls and ends: without what slows the program's own work
    double slices = 0;
};

// Everything that the runtime may take from one thread, by the program's own clocks: the wall clock around each call.
// The CPU clock is read before each, and after those only that took longer than a third of the budget: no shorter one
// can have taken more CPU time than wall time, which stands for it. So the CPU time of a long one has one reading of
// that clock in it, and none is reported too short.
class PauseLog {
public:
    enum class Part {
        end,   // of the scope: all of it is the runtime's
        poll,  // likewise
        work,  // small scopes, allocation and stores: what takes more than twice the median is a pause, above the median
        own,   // without the runtime: what takes more than twice the median is the machine's, and no pause
    };
    static constexpr double kWindow = 10e-3;

    explicit PauseLog(double budget) : budget_(static_cast<std::int64_t>(budget * 1e9)) {}

    template <class F>
    void time(Part part, F&& call) {
        const std::int64_t cpu = thread_cpu_ns(), wall = wall_ns();
        std::forward<F>(call)();
        const std::int64_t took = wall_ns() - wall;
        const bool is_long = took > budget_ / 3;
        parts_[static_cast<int>(part)].push_back({cpu, took, is_long ? std::min(took, thread_cpu_ns() - cpu) : took});
    }

    // All until now.
    PauseFigures figures() const;

private:
    /// Polls and ends, with others, in the order of their times.
    std::vector<Pause> calls(std::vector<Pause> others = {}) const;

    const std::vector<Pause>& part(Part which) const { return parts_[static_cast<int>(which)]; }

    std::int64_t budget_;
    std::vector<Pause> parts_[4];
};

// The least share of any window that is left of it by `pauses`, which are in order and lie between `begin` and `end`
// (nanoseconds of CPU time, as `window`). The worst window begins where a pause begins or ends where one ends.
double minimum_utilization(const std::vector<Pause>& pauses, std::int64_t window, std::int64_t begin, std::int64_t end);

// What one reading of the CPU clock takes, in seconds: the median of many. Prints it: it is in every long pause.
double print_clock_cost();

}  // namespace bench
