#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// How much memory is kept ahead of a program that grows, and how much stays when it does not: plain numbers.
namespace perfloc::gc {

/// A heap's growth is measured in so many blocks a period.
inline constexpr std::chrono::milliseconds kGrowthPeriod{10};

/// What a heap takes a period, after it took `taken` blocks in `elapsed`. It follows a rise at once, so that the next
/// period is met, and falls by half each period, so that a pause of the program does not lose what was learned.
constexpr std::size_t next_demand(std::size_t demand, std::uint64_t taken, std::chrono::nanoseconds elapsed) {
    const std::int64_t periods = std::max<std::int64_t>(0, elapsed / kGrowthPeriod);
    const std::size_t faded = periods >= 64 ? 0 : demand >> periods;
    // Over less than a period: no more than was seen.
    const auto whole = static_cast<std::uint64_t>(std::max<std::int64_t>(1, periods));
    return std::max<std::size_t>(faded, static_cast<std::size_t>((taken + whole - 1) / whole));
}

/// At most so many bytes wait for the program: an eighth of what it uses, so that a small heap stays small, and no more than a block above
/// the soft limit, where it is not meant to grow (a ring of messages kept 12 of 303 MiB ahead, and never used them).
constexpr std::size_t most_ahead(std::size_t used_bytes, std::size_t soft_limit) {
    constexpr std::size_t least = std::size_t{256} << 10;
    const std::size_t below = std::max(least, soft_limit - std::min(soft_limit, used_bytes));
    return std::min(below, std::clamp<std::size_t>(used_bytes / 8, least, std::size_t{64} << 20));
}

/// Blocks with memory that should wait for the program: twice what it takes a period, at most `most`; none for a heap
/// that does not grow.
constexpr std::size_t blocks_ahead(std::size_t demand, std::size_t most) {
    return std::min(most, demand < most ? 2 * demand : most);
}

/// Idle memory that is kept, in bytes: an eighth of what is used, and not less than 4 MiB.
inline constexpr std::size_t kLeastReserve = std::size_t{4} << 20;

constexpr std::size_t idle_reserve(std::size_t used_bytes) { return std::max(kLeastReserve, used_bytes / 8); }

/// Idle bytes that may be given back, once they are old enough.
constexpr std::size_t excess_bytes(std::size_t idle_bytes, std::size_t used_bytes) {
    return idle_bytes - std::min(idle_bytes, idle_reserve(used_bytes));
}

/// Released regions that nobody asked for are taken apart early: only blocks can be given back.
constexpr std::chrono::nanoseconds dissolve_after(std::chrono::nanoseconds return_after) {
    return std::min<std::chrono::nanoseconds>(return_after / 4, std::chrono::milliseconds(100));
}

/// How long the service may sleep: so that growth is met in time, and memory is not returned much too late.
constexpr std::chrono::nanoseconds rest(std::size_t demand, std::chrono::nanoseconds return_after) {
    using namespace std::chrono_literals;
    if (demand != 0) return kGrowthPeriod / 4;
    return std::clamp<std::chrono::nanoseconds>(return_after / 4, 1ms, 250ms);
}

}  // namespace perfloc::gc
