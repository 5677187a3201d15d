#pragma once

#include <cstdint>

namespace bench {

// xorshift64*: the same numbers on every machine, and cheap enough to stand inside a timed loop.
class Prng {
public:
    explicit Prng(std::uint64_t seed = 0x9e3779b97f4a7c15) : state_(seed | 1) {}

    std::uint64_t operator()() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d;
    }

    // A number below `bound`, by multiplication instead of division.
    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(((*this)() >> 32) * bound >> 32); }

private:
    std::uint64_t state_;
};

}  // namespace bench
