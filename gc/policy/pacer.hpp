#pragma once

#include <perfloc/options.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

/// When the mutator gives time to a collection, and when one begins by itself: plain numbers and times in, decisions out.
namespace perfloc::gc {

/// Keeps the program's share of any window of time: what slices may take accrues while the program runs, up to a part of a
/// window's worth (a token bucket, so that slices never come in a row that is longer).
class Pacer {
public:
    using nanoseconds = std::chrono::nanoseconds;

    explicit Pacer(const PauseBudget& budget) { set(budget); }
    void set(const PauseBudget& budget) {
        budget_ = budget;
        const double rest = 1.0 - budget.utilization;
        // In a window w slices take at most most() + rate() * w, which is the program's share subtracted.
        rate_ = rest / 2;
        most_ = std::max(budget.max,
                         nanoseconds(static_cast<std::int64_t>(static_cast<double>(budget.window.count()) * rest / 2)));
        credit_ = std::min(credit_, most_);
    }
    /// How long a slice may be now; zero where it is better to wait until one is worth its start: half of the longest pause,
    /// or what its first piece of work needs.
    nanoseconds allowance(nanoseconds now, nanoseconds need = nanoseconds(0)) {
        const nanoseconds passed = std::max(nanoseconds(0), now - last_);
        last_ = now;
        credit_ = std::min(
            most_, credit_ + nanoseconds(static_cast<std::int64_t>(static_cast<double>(passed.count()) * rate_)));
        const nanoseconds least = std::min(budget_.max, std::max(need, budget_.max / 2));
        return credit_ < least ? nanoseconds(0) : std::min(credit_, budget_.max);
    }
    void spent(nanoseconds time) { credit_ -= time; }

private:
    PauseBudget budget_;
    double rate_ = 0;
    nanoseconds most_{0};
    nanoseconds credit_{0};
    nanoseconds last_{0};
};

/// How far the heap may grow, above what the last collection left, before the next begins by itself.
class GrowthPolicy {
public:
    /// After a collection that began `since` after the one before and took `time`: one that takes much of the time between
    /// begins later, so that the collector keeps up and memory stays bounded.
    void collected(std::chrono::nanoseconds time, std::chrono::nanoseconds since) {
        const double share =
            since.count() <= 0 ? 1.0 : static_cast<double>(time.count()) / static_cast<double>(since.count());
        if (share > 0.5) {
            growth_ = std::min(1.0, growth_ * 1.5);
        } else if (share < 0.2) {
            growth_ = std::max(kLeastGrowth, growth_ / 1.5);
        }
    }
    /// Not above the soft limit; where that is passed, half of what is left to the limit.
    std::size_t threshold(std::size_t used, std::size_t soft_limit, std::size_t limit) const {
        const std::size_t above = used + allowed(used);
        if (used < soft_limit / 16 * 15) return std::min(above, soft_limit);
        return std::min(above, used + (limit - std::min(limit, used)) / 2);
    }
    /// While a collection goes on that began at `used`: above this the program outruns it (law [progress]).
    std::size_t urgent_above(std::size_t used, std::size_t limit) const {
        return std::min(used + allowed(used), used + (limit - std::min(limit, used)) / 2);
    }

private:
    std::size_t allowed(std::size_t used) const {
        return std::max(kLeastGrowthBytes, static_cast<std::size_t>(static_cast<double>(used) * growth_));
    }
    static constexpr double kLeastGrowth = 0.2;
    static constexpr std::size_t kLeastGrowthBytes = std::size_t{24} << 20;

    double growth_ = 0.3;
};

}  // namespace perfloc::gc
