#pragma once

#include "gc/policy/slice_policy.hpp"

#include <perfloc/options.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

/// When the mutator gives time to a collection, and when one begins by itself: plain numbers and times in, decisions out.
namespace perfloc::gc {

/// Keeps the program's share of any window of time: what slices may take accrues while the program runs, up to one of the
/// longest slices, so that they do not come in a row (a token bucket).
class Pacer {
public:
    using nanoseconds = std::chrono::nanoseconds;

    explicit Pacer(const PauseBudget& budget) { set(budget); }
    void set(const PauseBudget& budget) {
        // In a window w slices take at most most_ + rate_ * w. The rest of what is allowed is for what else a collection
        // takes: the barrier's longer way, and the last work item of a slice.
        const double rest = 1.0 - budget.utilization;
        rate_ = kPartPaced * rest;
        most_ = longest_slice(budget);
        most_owed_ = 4 * std::min<nanoseconds>(budget.max, std::chrono::hours(1));
        credit_ = std::min(credit_, most_);
    }
    /// How long a slice is at most: no longer than the utilization allows in one window.
    nanoseconds longest() const { return slice_of(most_); }
    /// How long a slice may be now; zero where it is better to wait until one is worth its start: half of the longest pause,
    /// or what its first piece of work needs.
    nanoseconds allowance(nanoseconds now, nanoseconds need = nanoseconds(0)) {
        const nanoseconds passed = started_ ? std::max(nanoseconds(0), now - last_) : nanoseconds(0);
        started_ = true;
        last_ = now;
        credit_ = std::min(
            most_, credit_ + nanoseconds(static_cast<std::int64_t>(static_cast<double>(passed.count()) * rate_)));
        const nanoseconds least = std::min(longest(), std::max(need, longest() / 2));
        return credit_ < least ? nanoseconds(0) : std::min(credit_, longest());
    }
    /// Also what was spent without asking, where a collection was urgent: but that is not owed for ever, or the next one would be
    /// late, and urgent, too.
    void spent(nanoseconds time) { credit_ = std::max(credit_ - time, -most_owed_); }

private:
    double rate_ = 0;
    nanoseconds most_{0};
    nanoseconds most_owed_{0};  // pauses in scopes' ends may be longer than a slice
    nanoseconds credit_{0};
    nanoseconds last_{0};  // what it was asked at
    bool started_ = false;
};

/// How far the heap may grow, above what the last collection left, before the next begins by itself: so that it ends, as the
/// last one went, before the heap has grown by more than is allowed (as Go's pacer does: Clements, "Go 1.5 concurrent garbage
/// collector pacing", 2015).
class GrowthPolicy {
public:
    /// What the program made while the last collection went on, in bytes.
    void collected(std::size_t made) { made_ = made; }

    /// No more than half of the way to the soft limit, or the program would be there before the collection has ended; where that
    /// is passed, half of what is left to the limit.
    std::size_t threshold(std::size_t left, std::size_t soft_limit, std::size_t limit) const {
        const std::size_t most = allowed(left);
        const std::size_t above = left + std::clamp(most - std::min(most, made_ + made_ / 4), most / 4, most / 4 * 3);
        if (left < soft_limit / 16 * 15) return std::min(above, left + (soft_limit - left) / 2);
        return std::min(above, left + (limit - std::min(limit, left)) / 2);
    }
    /// The threshold where so much was promoted since: no more than three quarters of the way to the soft limit.
    std::size_t later(std::size_t threshold, std::size_t promoted, std::size_t left, std::size_t soft_limit) const {
        const std::size_t most = left + (soft_limit - std::min(soft_limit, left)) / 4 * 3;
        return std::max(threshold, std::min(threshold + promoted, most));
    }
    /// Where scopes end so fast that one always waits, open scopes come first above this, and no sooner: what waits and survives is
    /// looked at twice then. (Where that was so from 24 MiB on, programs that kept 25 to 100 % of large scopes took one and a half
    /// times as long, with two thirds of the memory.)
    static std::size_t overdue_above(std::size_t left, std::size_t threshold, std::size_t soft_limit) {
        const std::size_t growth = threshold - std::min(threshold, left);
        const std::size_t most = left + (soft_limit - std::min(soft_limit, left)) / 8 * 7;
        return std::clamp(threshold + 2 * growth + std::min(kMostOverdueBytes, soft_limit / 4), threshold,
                          std::max(threshold, most));
    }
    /// While a collection goes on: above this the program outruns it (law [progress]). `left` as at the last one, `used` when
    /// it began. Where that is more than twice as much, for instance because large scopes have ended since, what is left now is
    /// not known.
    std::size_t urgent_above(std::size_t left, std::size_t used, std::size_t limit) const {
        const std::size_t above = std::max(left + allowed(left), used + allowed(std::max(left, used / 2)) / 4);
        return std::min(above, used + (limit - std::min(limit, used)) / 2);
    }

    /// The same for what has ended, which was there before: it is no growth. What ends meanwhile waits for the next collection,
    /// and if that were as large again, each would be larger than the last.
    std::size_t urgent_above_ended(std::size_t used, std::size_t limit) const {
        const std::size_t above = used + std::max(kLeastGrowthBytes, used / 8);
        return std::min(above, used + (limit - std::min(limit, used)) / 2);
    }

private:
    static std::size_t allowed(std::size_t left) {
        return std::max(kLeastGrowthBytes, static_cast<std::size_t>(static_cast<double>(left) * kMostGrowth));
    }
    static constexpr double kMostGrowth = 0.36;
    static constexpr std::size_t kMostOverdueBytes = std::size_t{1} << 30;
    static constexpr std::size_t kLeastGrowthBytes = std::size_t{24} << 20;

    std::size_t made_ = 0;
};

}  // namespace perfloc::gc
