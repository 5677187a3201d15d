#pragma once

#include <chrono>
#include <utility>

namespace bench {

// Wall time, for single events and for pauses.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// With --cpu-time totals are taken in the CPU time of this process, all its threads together.
inline bool use_cpu_time = false;

// For the length of a run: wall time in seconds, or CPU time.
double now();

template <class F>
double seconds_of(F&& work) {
    const double start = now();
    std::forward<F>(work)();
    return now() - start;
}

}  // namespace bench
