#pragma once

#include <chrono>
#include <cstdint>

/// What the pieces of a slice cost, so that none is begun that would not fit (law [slice]): plain numbers in, a
/// decision out.
namespace perfloc::gc {

struct EvacuationCost {
    std::uint64_t live_bytes = 0;
    std::uint64_t slots = 0;
};

/// The dearest seen, cold: copying small objects with their references, and fixing a slot somewhere in the heap.
inline constexpr double kWorstNanosecondsPerByteEvacuated = 1.2;
inline constexpr double kWorstNanosecondsPerSlotFixed = 60.0;

constexpr std::chrono::nanoseconds cost_of(const EvacuationCost& cost) {
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(cost.live_bytes) * kWorstNanosecondsPerByteEvacuated +
                                  static_cast<double>(cost.slots) * kWorstNanosecondsPerSlotFixed));
}

/// Of one span, in a slice of so long.
constexpr std::size_t most_slots_fixed(std::chrono::nanoseconds budget) {
    return static_cast<std::size_t>(static_cast<double>(budget.count()) / kWorstNanosecondsPerSlotFixed) + 1;
}

}  // namespace perfloc::gc
