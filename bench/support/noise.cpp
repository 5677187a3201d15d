#include "noise.hpp"

#include <fmt/core.h>

#include <vector>

#include "clock.hpp"
#include "stats.hpp"

namespace bench {

double print_noise_floor() {
    constexpr double kSpin = 1.0,
                     kGap = 1e-6;  // a turn of the loop takes 30 ns; what takes longer than kGap was taken from us
    std::vector<double> gaps;
    gaps.reserve(1 << 16);
    double lost = 0;
    const auto start = Clock::now();
    for (auto last = start;;) {
        const auto now = Clock::now();
        const double gap = std::chrono::duration<double>(now - last).count();
        last = now;
        if (gap > kGap) {
            gaps.push_back(gap);
            lost += gap;
        }
        if (std::chrono::duration<double>(now - start).count() > kSpin) break;
    }
    const double p99 = percentile(gaps, 0.99);  // sorts
    fmt::print(
        "noise floor (a thread spinning for {:.0f} s): largest gap {:.0f} us, 99 % of {} gaps below {:.0f} us, {:.2f} "
        "% lost\n",
        kSpin, gaps.empty() ? 0 : gaps.back() * 1e6, gaps.size(), p99 * 1e6, lost / kSpin * 100);
    return gaps.empty() ? 0 : gaps.back();
}

}  // namespace bench
