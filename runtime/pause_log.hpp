#pragma once

#include "runtime/clock.hpp"

#include <perfloc/detail/hot.hpp>
#include <perfloc/stats.hpp>

#include <array>
#include <memory>
#include <vector>

namespace perfloc::detail {

/// Every pause, by cause, and the last 4,096 of them. Recording is O(1) and allocates nothing; it is the mutator's alone.
class PauseLog {
public:
    static constexpr std::size_t kRing = 4096;

    PauseLog();

    /// `start` is a reading of TickClock.
    void record(PauseCause cause, std::uint64_t start, std::chrono::nanoseconds duration, Bytes looked_at,
                Bytes survived, const Label& label, std::chrono::nanoseconds time_to_stop = {});
    const PauseHistogram& all() const { return all_; }
    const PauseHistogram& of(PauseCause cause) const { return by_cause_[static_cast<std::size_t>(cause)]; }
    std::vector<PauseEvent> last() const;
    /// The last one; there must be one.
    PauseEvent newest() const { return event_of(next_, ring_[(next_ - 1) % kRing]); }

private:
    /// Without initialisers, so that pages of the ring are touched when they are first used.
    struct Entry {
        std::uint64_t at;  // in ticks
        std::chrono::nanoseconds::rep duration, time_to_stop;
        Bytes looked_at_bytes, survived_bytes;
        const char* label;
        PauseCause cause;
    };
    static PauseEvent event_of(std::uint64_t number, const Entry& entry);

    PauseHistogram all_;
    std::array<PauseHistogram, kPauseCauses> by_cause_;
    std::unique_ptr<Entry[]> ring_;
    std::uint64_t next_ = 0;
    std::uint64_t epoch_;
};

}  // namespace perfloc::detail
