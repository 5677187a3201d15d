#include "runtime/pause_log.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace perfloc {

std::string_view to_string(PauseCause cause) noexcept {
    switch (cause) {
        case PauseCause::promotion:
            return "promotion";
        case PauseCause::collection:
            return "collection";
        case PauseCause::destructors:
            return "destructors";
        case PauseCause::full:
            return "full";
        case PauseCause::commit:
            return "commit";
        case PauseCause::give_back:
            return "give back";
        case PauseCause::roots:
            return "roots";
        case PauseCause::settling:
            return "settling";
        case PauseCause::evacuation:
            return "evacuation";
        case PauseCause::weak_handles:
            return "weak handles";
        case PauseCause::marking:
            return "marking";
        case PauseCause::assist:
            return "assist";
        case PauseCause::stall:
            return "stall";
    }
    return "?";
}

std::size_t PauseHistogram::bucket_of(std::uint64_t ns) noexcept {
    constexpr std::uint64_t sub = std::uint64_t{1} << kSubBits;
    if (ns < sub) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kSubBits;
    return (std::size_t{shift} << kSubBits) + (ns >> shift);
}

std::uint64_t PauseHistogram::lower_bound(std::size_t bucket) noexcept {
    constexpr std::size_t sub = std::size_t{1} << kSubBits;
    if (bucket < 2 * sub) return bucket;
    const unsigned shift = static_cast<unsigned>(bucket >> kSubBits) - 1;
    return ((bucket & (sub - 1)) + sub) << shift;
}

namespace {

std::uint64_t nanoseconds_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

}  // namespace

inline void PauseHistogram::add(std::size_t bucket, std::uint64_t ns) noexcept {
    // One thread writes: to add is a load and a store, where an atomic addition takes some 20 cycles, and there were eight a pause.
    const auto add = [](std::atomic<std::uint64_t>& to, std::uint64_t n) {
        to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    };
    add(buckets_[bucket], 1);
    add(count_, 1);
    add(total_, ns);
    if (max_.load(std::memory_order_relaxed) < ns) max_.store(ns, std::memory_order_relaxed);
}

void PauseHistogram::record(std::chrono::nanoseconds duration) noexcept {
    const std::uint64_t ns = nanoseconds_of(duration);
    add(bucket_of(ns), ns);
}

std::chrono::nanoseconds PauseHistogram::total() const noexcept {
    return std::chrono::nanoseconds(total_.load(std::memory_order_relaxed));
}

std::chrono::nanoseconds PauseHistogram::max() const noexcept {
    return std::chrono::nanoseconds(max_.load(std::memory_order_relaxed));
}

std::chrono::nanoseconds PauseHistogram::percentile(double percent) const noexcept {
    const std::uint64_t n = count();
    if (n == 0) return {};
    const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
    const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(n))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += buckets_[i].load(std::memory_order_relaxed);
        if (seen >= rank) {
            const auto upper = std::chrono::nanoseconds(lower_bound(i + 1) - 1);
            return std::min(std::max(upper, std::chrono::nanoseconds(1)), max());
        }
    }
    return max();
}

namespace detail {

PauseLog::PauseLog() : ring_(std::make_unique_for_overwrite<Entry[]>(kRing)) {
    TickClock::calibrate();
    epoch_ = TickClock::now();
}

void PauseLog::record(PauseCause cause, std::uint64_t start, std::chrono::nanoseconds duration, Bytes looked_at,
                      Bytes survived, const Label& label, std::chrono::nanoseconds time_to_stop) {
    const std::uint64_t ns = nanoseconds_of(duration);
    const std::size_t bucket = PauseHistogram::bucket_of(ns);
    all_.add(bucket, ns);
    by_cause_[static_cast<std::size_t>(cause)].add(bucket, ns);
    ring_[next_ % kRing] = {start - std::min(start, epoch_),
                            duration.count(),
                            time_to_stop.count(),
                            looked_at,
                            survived,
                            label.text(),
                            cause};
    ++next_;
}

PauseEvent PauseLog::event_of(std::uint64_t number, const Entry& entry) {
    using std::chrono::nanoseconds;
    return {.number = number,
            .cause = entry.cause,
            .at = TickClock::duration(entry.at),
            .duration = nanoseconds(entry.duration),
            .time_to_stop = nanoseconds(entry.time_to_stop),
            .looked_at_bytes = entry.looked_at_bytes,
            .survived_bytes = entry.survived_bytes,
            .label = entry.label};
}

std::vector<PauseEvent> PauseLog::last() const {
    std::vector<PauseEvent> events;
    events.reserve(std::min<std::uint64_t>(next_, kRing));
    for (std::uint64_t i = next_ > kRing ? next_ - kRing : 0; i < next_; ++i) {
        events.push_back(event_of(i + 1, ring_[i % kRing]));
    }
    return events;
}

}  // namespace detail
}  // namespace perfloc
