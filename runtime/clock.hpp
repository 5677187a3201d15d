#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace perfloc::detail {

using Clock = std::chrono::steady_clock;

/// The processor's time stamp counter where it runs at one rate on all cores (about 8 ns a reading, where the monotonic
/// clock takes 25 to 30), else the monotonic clock in nanoseconds.
class TickClock {
public:
    static std::uint64_t now() {
#if defined(__x86_64__)
        return scale().counter ? __rdtsc() : monotonic();
#elif defined(__aarch64__)
        std::uint64_t ticks;
        asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
#else
        return monotonic();
#endif
    }
    static std::chrono::nanoseconds duration(std::uint64_t ticks) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(ticks) * scale().ns_per_tick));
    }
    static std::uint64_t ticks(std::chrono::nanoseconds time) {
        return static_cast<std::uint64_t>(static_cast<double>(time.count()) / scale().ns_per_tick);
    }
    /// Measures the counter's rate against the monotonic clock, once a process (0.2 ms). Before the first reading.
    static void calibrate();

private:
    struct Scale {
        double ns_per_tick = 1.0;
        bool counter = false;
    };
    static std::uint64_t monotonic() { return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()); }
    static const Scale& scale() { return scale_; }
    static Scale measure();

    static Scale scale_;
};

/// Time that a pause took, from construction.
class Stopwatch {
public:
    Stopwatch() : start_(TickClock::now()) {}
    std::chrono::nanoseconds elapsed() const { return TickClock::duration(TickClock::now() - start_); }
    /// The time since the start or the last lap.
    std::chrono::nanoseconds lap() {
        const std::uint64_t now = TickClock::now();
        const std::chrono::nanoseconds time = TickClock::duration(now - start_);
        start_ = now;
        return time;
    }

private:
    std::uint64_t start_;
};

}  // namespace perfloc::detail
