#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>
#include <utility>

namespace bench {

// Wall time, for single events and for pauses.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Nanoseconds of one of the system's clocks. CLOCK_MONOTONIC is read in the program (some 25 ns); the CPU clocks are
// system calls (0.3 to 1.5 us), so they are read seldom.
inline std::int64_t nanoseconds_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}
inline std::int64_t wall_ns() { return nanoseconds_of(CLOCK_MONOTONIC); }
inline std::int64_t thread_cpu_ns() { return nanoseconds_of(CLOCK_THREAD_CPUTIME_ID); }
inline std::int64_t process_cpu_ns() { return nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID); }

// With --cpu-time totals are taken in the CPU time of this process, all its threads together.
inline bool use_cpu_time = false;

// For the length of a run: wall time in seconds, or CPU time.
inline double now() { return static_cast<double>(use_cpu_time ? process_cpu_ns() : wall_ns()) * 1e-9; }

template <class F>
double seconds_of(F&& work) {
    const double start = now();
    std::forward<F>(work)();
    return now() - start;
}

}  // namespace bench
