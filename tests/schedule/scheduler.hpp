// Decides by a seed when the collector runs in the middle of a program's steps.
#pragma once

#include "property/world.hpp"

#include <cstdint>
#include <string_view>

namespace perfloc::schedule {

/// A pseudo-random sequence: splitmix64.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    std::uint64_t below(std::uint64_t n) { return next() % n; }

private:
    std::uint64_t state_;
};

/// While it lives, the collector of this thread's heap runs where the seed says: at the library's schedule points, and
/// between operations, where the mutator's slices come as well. The verifier looks after each change of phase. One at a time.
class Scheduler {
public:
    explicit Scheduler(std::uint64_t seed);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    struct Counts {
        std::uint64_t points = 0;         ///< schedule points passed
        std::uint64_t interruptions = 0;  ///< of those, at which the collector ran
        std::uint64_t slices = 0;
        std::uint64_t phase_changes = 0;
    };
    const Counts& counts() const { return counts_; }

private:
    static void at_point();
    static void between(property::World& world);

    Random random_;
    std::uint64_t interrupts_;  ///< at one point in so many
    Counts counts_;
    std::string_view last_phase_;
};

}  // namespace perfloc::schedule
