#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace perfloc::gc {

/// Above so many used bytes the baseline collects at the next poll: the heap has grown by `factor` since the last
/// collection, and is not small.
constexpr std::size_t next_full_collection(std::size_t used_after, double factor, std::size_t minimum) {
    const double grown = static_cast<double>(used_after) * factor;
    return std::max(minimum, grown >= 1e18 ? SIZE_MAX : static_cast<std::size_t>(grown));
}

/// Under `hinted` the whole heap is collected at a poll only near the limit. When that freed little, the next one waits
/// until half of what is left is used, so that a heap at its limit does not collect at every poll.
constexpr std::size_t next_emergency_collection(std::size_t used_after, std::size_t soft_limit, std::size_t limit) {
    if (used_after < soft_limit / 8 * 7) return soft_limit;
    return std::max(soft_limit, used_after + (limit - std::min(limit, used_after)) / 2);
}

/// A span so full stays where it is: sliding it would copy much to free little.
inline constexpr double kDenseFrom = 0.85;

constexpr bool stays(std::uint64_t live_bytes, std::uint64_t top_bytes) {
    return static_cast<double>(live_bytes) >= kDenseFrom * static_cast<double>(top_bytes);
}

/// Sliding makes every reference of the heap be looked at, which costs half as much as marking: it must free at least an
/// eighth of what is alive.
inline constexpr double kLeastGain = 0.125;

constexpr bool worth_sliding(std::uint64_t gained_bytes, std::uint64_t live_bytes) {
    return static_cast<double>(gained_bytes) > kLeastGain * static_cast<double>(live_bytes);
}

}  // namespace perfloc::gc
