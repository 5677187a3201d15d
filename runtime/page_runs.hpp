#pragma once

#include <bit>
#include <cstdint>

/// Runs of free pages inside one block, as a mask of 64 bits.
namespace perfloc::detail {

/// Bit i is set where pages i .. i + n - 1 are all free. `n` is 1 to 64. O(log n).
constexpr std::uint64_t run_starts(std::uint64_t free, unsigned n) {
    unsigned have = 1;
    while (have < n && free != 0) {
        const unsigned step = have < n - have ? have : n - have;
        free &= free >> step;
        have += step;
    }
    return free;
}

/// Bits at multiples of `n`, a power of two.
constexpr std::uint64_t aligned_starts(unsigned n) {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 64; i += n) bits |= std::uint64_t{1} << i;
    return bits;
}

constexpr std::uint64_t run_mask(unsigned first, unsigned n) {
    return (n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1) << first;
}

}  // namespace perfloc::detail
