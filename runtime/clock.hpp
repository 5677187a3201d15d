#pragma once

#include <chrono>

namespace perfloc::detail {

using Clock = std::chrono::steady_clock;

/// Time that a pause took, from construction. One read of the monotonic clock at each end (about 25 ns through the vDSO).
class Stopwatch {
public:
    Stopwatch() : start_(Clock::now()) {}
    std::chrono::nanoseconds elapsed() const { return Clock::now() - start_; }
    /// The time since the start or the last lap.
    std::chrono::nanoseconds lap() {
        const Clock::time_point now = Clock::now();
        const std::chrono::nanoseconds time = now - start_;
        start_ = now;
        return time;
    }

private:
    Clock::time_point start_;
};

}  // namespace perfloc::detail
