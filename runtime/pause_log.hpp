#pragma once

#include <perfloc/detail/hot.hpp>
#include <perfloc/stats.hpp>

#include <array>
#include <vector>

namespace perfloc::detail {

/// Every pause, by cause, and the last 256 of them. Recording allocates nothing.
class PauseLog {
public:
    void record(PauseCause cause, std::chrono::nanoseconds duration, Bytes looked_at, Bytes survived,
                const Label& label) {
        all_.record(duration);
        by_cause_[static_cast<std::size_t>(cause)].record(duration);
        const std::uint64_t number = next_ + 1;
        ring_[next_ % kRing] = {number, cause, duration, looked_at, survived, label.text()};
        next_ = number;
    }
    const PauseHistogram& all() const { return all_; }
    const PauseHistogram& of(PauseCause cause) const { return by_cause_[static_cast<std::size_t>(cause)]; }
    std::vector<PauseEvent> last() const;

private:
    static constexpr std::size_t kRing = 256;

    PauseHistogram all_;
    std::array<PauseHistogram, kPauseCauses> by_cause_;
    std::array<PauseEvent, kRing> ring_{};
    std::uint64_t next_ = 0;
};

}  // namespace perfloc::detail
