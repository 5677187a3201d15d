#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "clock.hpp"

namespace bench {

// Millions of short operations, one after another: the end of one is the beginning of the next, so that nothing that
// the thread goes through is left out. Wall times go into buckets of 1/16 of a power of two. The CPU clock is read only
// now and then and after what took long; that one's CPU time is at most all since the last reading.
class OperationClock {
public:
    void start() {
        last_ = wall_ns();
        look_at_cpu();
    }

    // One operation has ended.
    void lap() {
        const std::int64_t now = wall_ns();
        const std::int64_t took = now - last_;
        last_ = now;
        ++counts_[bucket_of(static_cast<std::uint64_t>(took))];
        ++count_;
        if (took > kLong) [[unlikely]] {
            worst_wall_ = std::max(worst_wall_, took);
            worst_cpu_ = std::max(worst_cpu_, std::min(took, thread_cpu_ns() - cpu_));
            look_at_cpu();
        } else if (count_ % kLookEvery == 0) {
            look_at_cpu();
        }
    }

    // Seconds. The CPU time is an upper bound, by some tens of operations.
    double worst_wall() const { return static_cast<double>(std::max(worst_wall_, kLong)) * 1e-9; }
    double worst_cpu() const { return static_cast<double>(std::max(worst_cpu_, kLong)) * 1e-9; }
    // The upper end of the bucket below which `share` (0..1) of the operations lie: at most 1/16 too long.
    double percentile(double share) const {
        const double rank = share * static_cast<double>(count_);
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
            seen += counts_[bucket];
            if (static_cast<double>(seen) >= rank) return static_cast<double>(begin_of(bucket + 1)) * 1e-9;
        }
        return 0;
    }

private:
    static constexpr std::int64_t kLong = 30'000;  // ns; what is shorter is no longer looked at than that
    static constexpr std::uint64_t kLookEvery = 64;
    static constexpr unsigned kSub = 4;

    static std::size_t bucket_of(std::uint64_t ns) {
        if (ns < 1u << kSub) return ns;
        const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kSub;
        return (std::size_t{shift} << kSub) + (ns >> shift);
    }
    static std::uint64_t begin_of(std::size_t bucket) {
        if (bucket < 2u << kSub) return bucket;
        const std::size_t shift = (bucket >> kSub) - 1;
        return ((bucket & ((1u << kSub) - 1)) + (1u << kSub)) << shift;
    }
    void look_at_cpu() { cpu_ = thread_cpu_ns(); }

    std::int64_t last_ = 0, cpu_ = 0, worst_wall_ = 0, worst_cpu_ = 0;
    std::uint64_t count_ = 0;
    std::array<std::uint64_t, std::size_t{64} << kSub> counts_{};
};

}  // namespace bench
