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

/// Bits at multiples of `n`, a power of two up to 64.
constexpr std::uint64_t aligned_starts(unsigned n) {
    return n == 64 ? 1 : ~std::uint64_t{0} / ((std::uint64_t{1} << n) - 1);
}

/// The largest k for which 2^k free pages start at a multiple of 2^k. `free` is not 0.
constexpr unsigned longest_aligned_run(std::uint64_t free) {
    unsigned k = 0;
    for (std::uint64_t starts = free; k < 6; ++k) {
        starts &= (starts >> (1u << k)) & aligned_starts(2u << k);
        if (starts == 0) break;
    }
    return k;
}

constexpr std::uint64_t run_mask(unsigned first, unsigned n) {
    return (n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1) << first;
}

}  // namespace perfloc::detail
