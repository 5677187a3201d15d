#pragma once

#include <chrono>
#include <cstdint>

/// Decisions, apart from mechanism: plain numbers in, a decision out. They see neither clock nor heap.
namespace perfloc::gc {

/// What an ended scope looks like.
struct EndedScope {
    std::uint64_t bytes = 0;     ///< allocated in it: the worst case is that all of it survives
    bool has_cleanups = false;   ///< the dead must be known before anything moves
    bool has_fixtures = false;   ///< pinned, large or pinned-by-handle objects
    std::uint64_t slots = 0;     ///< recorded, that point or pointed into it
    std::uint64_t cleanups = 0;  ///< objects with destructors
};

/// The dearest copying seen: small linked objects, cold. Dear enough that the budget holds at the worst.
inline constexpr double kWorstNanosecondsPerByteCopied = 1.0;

/// What a recorded slot costs at worst, to look at and to fix; and a destructor that does little.
inline constexpr double kWorstNanosecondsPerSlot = 40.0;
inline constexpr double kUsualNanosecondsPerDestructor = 150.0;

/// Copy the survivors out in the caller, instead of marking, sweeping and settling.
constexpr bool promote_inline(const EndedScope& scope, std::chrono::nanoseconds budget) {
    if (scope.has_cleanups || scope.has_fixtures) return false;
    const double worst = static_cast<double>(scope.bytes) * kWorstNanosecondsPerByteCopied +
                         static_cast<double>(scope.slots) * kWorstNanosecondsPerSlot;
    return worst <= static_cast<double>(budget.count());
}

/// Marking, sweeping and settling a byte at worst.
inline constexpr double kWorstNanosecondsPerByteCollected = 1.5;

/// Mark, sweep and settle in the caller too, instead of beside the program. (What one large object holds is not looked at.)
constexpr bool collect_at_once(const EndedScope& scope, std::chrono::nanoseconds budget) {
    const double worst = static_cast<double>(scope.bytes) * kWorstNanosecondsPerByteCollected +
                         static_cast<double>(scope.slots) * kWorstNanosecondsPerSlot +
                         static_cast<double>(scope.cleanups) * kUsualNanosecondsPerDestructor;
    return worst <= static_cast<double>(budget.count());
}

/// What a bounded walk has found to survive.
struct Survivors {
    std::uint64_t roots = 0;  ///< recorded slots and handles of any kind
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
};

/// To find a root and its object, another survivor, and to copy it, at worst: all are cold, and so are the page table's entries for
/// them (up to 300 ns a root were seen in a scope of 1 GiB).
inline constexpr double kWorstNanosecondsPerRoot = 300.0, kWorstNanosecondsPerSurvivor = 200.0,
                        kWorstNanosecondsPerByteSurvived = 2.5;

/// Promote these in the caller, whatever else was made in their scope. Half of the budget: a walk that is given up has cost a part
/// of it for nothing.
constexpr bool few_survive(const Survivors& found, std::chrono::nanoseconds budget) {
    const double worst = static_cast<double>(found.roots) * kWorstNanosecondsPerRoot +
                         static_cast<double>(found.objects) * kWorstNanosecondsPerSurvivor +
                         static_cast<double>(found.bytes) * kWorstNanosecondsPerByteSurvived;
    return worst <= static_cast<double>(budget.count()) / 2;
}

/// To clear and to count the marks of what was made beside them; and its destructors.
inline constexpr double kWorstNanosecondsPerByteSwept = 0.05;

/// Where few survive: mark, sweep and settle in the caller, because there are destructors to run, or what survives must stay
/// where it is. The other half of the budget.
constexpr bool sweep_at_once(const EndedScope& scope, std::chrono::nanoseconds budget) {
    const double worst = static_cast<double>(scope.bytes) * kWorstNanosecondsPerByteSwept +
                         static_cast<double>(scope.cleanups) * kUsualNanosecondsPerDestructor;
    return worst <= static_cast<double>(budget.count()) / 2;
}

/// More than that are not few.
constexpr std::uint64_t most_roots(std::chrono::nanoseconds budget) {
    return static_cast<std::uint64_t>(static_cast<double>(budget.count()) / kWorstNanosecondsPerRoot) + 1;
}

}  // namespace perfloc::gc
