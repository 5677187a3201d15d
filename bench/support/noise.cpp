#include "noise.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <vector>

#include "clock.hpp"
#include "stats.hpp"

namespace bench {

namespace {

// The clock's steps that are longer than `shortest`: what a turn of the loop takes is not among them.
double print_gaps(const char* what, clockid_t clock, double shortest) {
    constexpr double kSpin = 1.0;
    std::vector<double> gaps;
    gaps.reserve(1 << 16);
    double lost = 0;
    const std::int64_t end = wall_ns() + static_cast<std::int64_t>(kSpin * 1e9);
    for (std::int64_t last = nanoseconds_of(clock); wall_ns() < end;) {
        const std::int64_t now = nanoseconds_of(clock);
        const double gap = static_cast<double>(now - last) * 1e-9;
        last = now;
        if (gap > shortest) {
            gaps.push_back(gap);
            lost += gap;
        }
    }
    const double p99 = percentile(gaps, 0.99);  // sorts
    const double largest = gaps.empty() ? 0 : gaps.back();
    fmt::print(
        "noise floor, {} (a thread spinning for {:.0f} s): largest gap {:.0f} us, 99 % of {} gaps below {:.0f} us, "
        "{:.2f} % lost\n",
        what, kSpin, largest * 1e6, gaps.size(), p99 * 1e6, lost / kSpin * 100);
    return largest;
}

}  // namespace

NoiseFloor print_noise_floor() {
    return {print_gaps("wall", CLOCK_MONOTONIC, 1e-6), print_gaps("CPU", CLOCK_THREAD_CPUTIME_ID, 5e-6)};
}

}  // namespace bench
