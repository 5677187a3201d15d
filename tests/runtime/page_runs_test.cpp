#include "support/catch.hpp"

#include "runtime/page_runs.hpp"

#include <cstdint>

using namespace perfloc::detail;

namespace {

/// The definition, page by page.
std::uint64_t starts_by_definition(std::uint64_t free, unsigned n) {
    std::uint64_t starts = 0;
    for (unsigned first = 0; first + n <= 64; ++first) {
        bool all = true;
        for (unsigned i = first; i < first + n; ++i) all = all && (free >> i & 1) != 0;
        if (all) starts |= std::uint64_t{1} << first;
    }
    return starts;
}

}  // namespace

TEST_CASE("a run starts where as many pages are free in a row") {
    std::uint64_t random = 0x2545'f491'4f6c'dd1d;
    for (int round = 0; round < 200; ++round) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const std::uint64_t masks[] = {random, random | random << 1, random | random >> 3 | random << 7,
                                       ~std::uint64_t{0} << (round % 64)};
        for (const std::uint64_t free : masks) {
            for (unsigned n = 1; n <= 64; ++n) {
                INFO("free " << free << ", n " << n);
                REQUIRE(run_starts(free, n) == starts_by_definition(free, n));
            }
        }
    }
}

TEST_CASE("a run of a whole block starts at its first page only") {
    CHECK(run_starts(~std::uint64_t{0}, 64) == 1);
    CHECK(run_starts(~std::uint64_t{1}, 64) == 0);
    CHECK(run_starts(0, 1) == 0);
}

TEST_CASE("the longest aligned run is the longest of those that start at a multiple of their length") {
    std::uint64_t random = 0x9e37'79b9'7f4a'7c15;
    for (int round = 0; round < 300; ++round) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const unsigned shift = static_cast<unsigned>(round) % 64;
        for (const std::uint64_t free : {random, random | random << 1 | random << 2, ~std::uint64_t{0} << shift,
                                         ~std::uint64_t{0} >> shift, std::uint64_t{1} << shift}) {
            if (free == 0) continue;
            unsigned longest = 0;
            for (unsigned k = 0; k <= 6; ++k) {
                if ((starts_by_definition(free, 1u << k) & aligned_starts(1u << k)) != 0) longest = k;
            }
            INFO("free " << free);
            REQUIRE(longest_aligned_run(free) == longest);
        }
    }
}

TEST_CASE("aligned starts are the multiples of the length") {
    CHECK(aligned_starts(1) == ~std::uint64_t{0});
    CHECK(aligned_starts(4) == 0x1111'1111'1111'1111u);
    CHECK(aligned_starts(64) == 1);
}

TEST_CASE("a mask of a run has its pages and no others") {
    CHECK(run_mask(0, 64) == ~std::uint64_t{0});
    CHECK(run_mask(3, 2) == 0b11000);
    CHECK(run_mask(63, 1) == std::uint64_t{1} << 63);
}
