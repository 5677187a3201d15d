#pragma once

#include <perfloc/options.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// What the pieces of a slice cost, so that none is begun that would not fit (law [slice]): plain numbers in, a
/// decision out.
namespace perfloc::gc {

/// What a slice is given of the longest pause: the rest, a fifth and some microseconds at least, is for the last piece of work that
/// it began.
constexpr std::chrono::nanoseconds slice_of(std::chrono::nanoseconds longest) {
    constexpr std::chrono::microseconds last_piece{6};
    return longest - std::max(longest / 5, std::min<std::chrono::nanoseconds>(last_piece, longest / 3));
}

/// What slices may take of that part of a window which is not the program's, besides one that has been waited for.
inline constexpr double kPartPaced = 0.6;

/// What a slice may take, with the last piece of work that it began: the longest pause, but no more of a window than is not the
/// program's, nor paced. (Where that is very little, slices as long as the default keep the share by being far apart.)
constexpr std::chrono::nanoseconds longest_slice(const PauseBudget& budget) {
    using std::chrono::nanoseconds;
    constexpr nanoseconds least = PauseBudget().max, most = std::chrono::hours(1);
    const double share = static_cast<double>(budget.window.count()) * (1.0 - budget.utilization) * (1.0 - kPartPaced);
    const nanoseconds in_window(static_cast<std::int64_t>(std::min(share, static_cast<double>(most.count()))));
    return std::min({budget.max, std::max(in_window, least), most});
}

/// Of ended scopes that one collection looks at: to choose one takes 0.1 us, and half of a slice is for that.
constexpr std::size_t regions_at_once(std::chrono::nanoseconds longest) {
    return static_cast<std::size_t>(std::max<std::int64_t>(50, longest / std::chrono::nanoseconds(200)));
}

struct Evacuation {
    std::uint64_t live_bytes = 0;
    std::uint64_t slots = 0;
};

/// Usual, cold: copying small objects with their references, and fixing a slot somewhere in the heap.
inline constexpr double kNanosecondsPerByteEvacuated = 1.2;
inline constexpr double kNanosecondsPerSlotFixed = 60.0;

/// What a piece that is moved may be estimated to take: most of a slice, but that some take half as long again.
constexpr std::chrono::nanoseconds longest_piece(std::chrono::nanoseconds budget) { return slice_of(budget) / 10 * 6; }

/// Of one piece, at most.
constexpr std::size_t most_slots_fixed(std::chrono::nanoseconds budget) {
    return static_cast<std::size_t>(static_cast<double>(longest_piece(budget).count()) / kNanosecondsPerSlotFixed) + 1;
}

/// Grains of 512 bytes of a span that are evacuated in one go: a power of two, so many that objects of some 64 bytes with four
/// references to each fit a slice easily, also where all of them are cold. A page for 100 us. (As pages, one was too much for a
/// budget of 20 us, and churn in a cache grew to three times the live bytes.)
constexpr std::uint32_t grains_at_once(std::chrono::nanoseconds budget) {
    return std::bit_floor(
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(budget / std::chrono::microseconds(10), 1, 512)));
}

/// What an evacuation will cost, from what is usual and what this heap's took: a factor that rises at once with those that
/// were dearer than expected and falls slowly, so that 98 of 100 keep to it (a stochastic estimate of a quantile, after
/// Robbins and Monro, 1951).
class EvacuationCosts {
public:
    std::chrono::nanoseconds of(const Evacuation& evacuation) const {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(usual(evacuation) * factor_));
    }
    void learn(const Evacuation& evacuation, std::chrono::nanoseconds took) {
        const double usually = usual(evacuation);
        if (usually <= 0) return;
        const bool dearer = static_cast<double>(took.count()) > usually * factor_;  // by how much does not count
        factor_ = std::clamp(factor_ * (dearer ? 1.18 : 0.9966), kLeast, kMost);
    }
    double per_byte() const { return kNanosecondsPerByteEvacuated * factor_; }
    double per_slot() const { return kNanosecondsPerSlotFixed * factor_; }

private:
    static constexpr double kLeast = 0.25, kMost = 4.0;
    static double usual(const Evacuation& evacuation) {
        return static_cast<double>(evacuation.live_bytes) * kNanosecondsPerByteEvacuated +
               static_cast<double>(evacuation.slots) * kNanosecondsPerSlotFixed;
    }

    double factor_ = 1.25;
};

}  // namespace perfloc::gc
