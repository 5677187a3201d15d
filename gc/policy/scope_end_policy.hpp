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
    std::uint64_t spans = 0;
    std::uint64_t handles = 0;  ///< of all kinds, or more than fit the budget
};

/// Costs are whole picoseconds: each end of a scope that something escapes from asks, and floating point took 5 ns of it.
using Picoseconds = std::uint64_t;
constexpr bool within(Picoseconds cost, std::chrono::nanoseconds budget) {
    return cost / 1000 <= static_cast<std::uint64_t>(budget.count());
}

/// The dearest copying seen: small linked objects, cold. Dear enough that the budget holds at the worst.
inline constexpr Picoseconds kWorstPerByteCopied = 1000;

/// What a recorded slot costs at worst, to look at and to fix; and a destructor that does little.
inline constexpr Picoseconds kWorstPerSlot = 40'000;
inline constexpr Picoseconds kUsualPerDestructor = 150'000;
/// A handle to look at and to move to another list, or to clear; and what a span costs, however little is in it: both cold.
inline constexpr Picoseconds kWorstPerHandle = 50'000, kWorstPerSpan = 60'000;

/// More handles than that do not fit.
constexpr std::uint64_t most_handles(std::chrono::nanoseconds budget) {
    return static_cast<std::uint64_t>(budget.count()) / (kWorstPerHandle / 1000) + 1;
}

/// Copy the survivors out in the caller, instead of marking, sweeping and settling.
constexpr bool promote_inline(const EndedScope& scope, std::chrono::nanoseconds budget) {
    if (scope.has_cleanups || scope.has_fixtures) return false;
    return within(scope.bytes * kWorstPerByteCopied + scope.slots * kWorstPerSlot, budget);
}

/// Marking, sweeping and settling a byte at worst.
inline constexpr Picoseconds kWorstPerByteCollected = 1500;

/// Mark, sweep and settle in the caller too, instead of beside the program. (What one large object holds is not looked at.)
constexpr bool collect_at_once(const EndedScope& scope, std::chrono::nanoseconds budget) {
    return within(scope.bytes * kWorstPerByteCollected + scope.slots * kWorstPerSlot +
                      scope.cleanups * kUsualPerDestructor + scope.spans * kWorstPerSpan +
                      scope.handles * kWorstPerHandle,
                  budget);
}

/// What a bounded walk has found to survive.
struct Survivors {
    std::uint64_t roots = 0;  ///< recorded slots and handles of any kind
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
};

/// To find a root and its object, another survivor, and to copy it, at worst: all are cold, and so are the page table's entries for
/// them (up to 300 ns a root were seen in a scope of 1 GiB).
inline constexpr Picoseconds kWorstPerRoot = 300'000, kWorstPerSurvivor = 200'000, kWorstPerByteSurvived = 2500;

/// Promote these in the caller, whatever else was made in their scope. Half of the budget: a walk that is given up has cost a part
/// of it for nothing.
constexpr bool few_survive(const Survivors& found, std::chrono::nanoseconds budget) {
    return within(found.roots * kWorstPerRoot + found.objects * kWorstPerSurvivor + found.bytes * kWorstPerByteSurvived,
                  budget / 2);
}

/// To clear and to count the marks of what was made beside them; and its destructors.
inline constexpr Picoseconds kWorstPerByteSwept = 50;

/// Where few survive: mark, sweep and settle in the caller, because there are destructors to run, or what survives must stay
/// where it is. The other half of the budget.
constexpr bool sweep_at_once(const EndedScope& scope, std::chrono::nanoseconds budget) {
    return within(scope.bytes * kWorstPerByteSwept + scope.cleanups * kUsualPerDestructor, budget / 2);
}

/// More destructors than that do not fit.
constexpr std::uint64_t most_destructors(std::chrono::nanoseconds budget) {
    return static_cast<std::uint64_t>(budget.count()) / (kUsualPerDestructor / 1000) + 1;
}

/// More than that are not few.
constexpr std::uint64_t most_roots(std::chrono::nanoseconds budget) {
    return static_cast<std::uint64_t>(budget.count()) / (kWorstPerRoot / 1000) + 1;
}

}  // namespace perfloc::gc
