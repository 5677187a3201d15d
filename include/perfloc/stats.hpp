#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/units.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perfloc {

namespace detail {
struct HeapCore;
class PauseLog;
}  // namespace detail

/// Why the runtime took time from the program. O(1) paths (a scope released, a slot recorded) are counted and not timed:
/// reading the clock costs more than they do.
enum class PauseCause : std::uint8_t {
    promotion,     ///< survivors of a small ended scope copied out
    collection,    ///< an ended scope marked, swept and settled
    destructors,   ///< an ended scope without survivors whose destructors ran
    full,          ///< the whole heap: the baseline, or on demand, or near the limit
    commit,        ///< the readable and writable prefix, or the heap's share of the system's memory, grew
    give_back,     ///< pages were returned to the system to stay below the limit
    roots,         ///< handles and incoming slots of a condemned set walked
    settling,      ///< spans with survivors adopted, and recorded slots recorded again
    evacuation,    ///< survivors copied out of sparse spans
    weak_handles,  ///< weak handles to the dead cleared
    marking,       ///< the collector's fiber ran on the program's thread, because no other thread runs it
    assist,  ///< the same in the stead of the collector's thread, which the program outruns: at a poll, for a slice's time
    stall,  ///< the program waited: for that thread, which had not yielded; or, since memory ran out, for the end of a
            ///< collection
};
inline constexpr std::size_t kPauseCauses = 13;
PERFLOC_API std::string_view to_string(PauseCause cause) noexcept;

/// A histogram of durations in bounded memory: buckets of 1/32 of a power of two, so that what it reports is at most
/// 3.2 % above the truth; count, total and maximum are exact. Recording is O(1), allocates nothing, and may overlap with
/// reading. After Tene's HdrHistogram.
class PERFLOC_API PauseHistogram {
public:
    static constexpr unsigned kSubBits = 5;
    static constexpr std::size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

    /// By one thread; others may read meanwhile. O(1), some nanoseconds.
    void record(std::chrono::nanoseconds duration) noexcept;
    std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    std::chrono::nanoseconds total() const noexcept;
    std::chrono::nanoseconds max() const noexcept;
    /// The duration that `percent` of the pauses (0 to 100) do not exceed; zero where there was none. O(buckets).
    std::chrono::nanoseconds percentile(double percent) const noexcept;

    /// Calls f(lower, upper, count), in nanoseconds, for each bucket that is not empty, ascending.
    template <class F>
    void for_each_bucket(F&& f) const {
        for (std::size_t i = 0; i < kBuckets; ++i) {
            const std::uint64_t n = buckets_[i].load(std::memory_order_relaxed);
            if (n != 0) f(lower_bound(i), lower_bound(i + 1), n);
        }
    }
    static std::size_t bucket_of(std::uint64_t ns) noexcept;
    static std::uint64_t lower_bound(std::size_t bucket) noexcept;

private:
    friend detail::PauseLog;
    void add(std::size_t bucket, std::uint64_t ns) noexcept;

    // Relaxed: each counter stands alone; a reader may see a pause counted in one and not yet in another.
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> total_{0};
    std::atomic<std::uint64_t> max_{0};
    std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
};

/// One of the last pauses.
struct PauseEvent {
    std::uint64_t number = 0;  ///< from 1
    PauseCause cause{};
    std::chrono::nanoseconds at{};            ///< when it began, since the heap was made
    std::chrono::nanoseconds duration{};      ///< the time stopped
    std::chrono::nanoseconds time_to_stop{};  ///< before it, from the request until the thread had stopped
    Bytes looked_at_bytes = 0;
    Bytes survived_bytes = 0;
    std::string_view label;
};

/// What the scopes of one label have done.
struct LabelStats {
    std::string name;
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    std::uint64_t kept = 0;
    Bytes allocated_bytes = 0;  ///< of ended scopes
    Bytes released_bytes = 0;   ///< of those, released in O(1)
    Bytes promoted_bytes = 0;
    std::uint64_t promoted_objects = 0;
    double escape_ratio() const {
        return allocated_bytes == 0 ? 0.0 : static_cast<double>(promoted_bytes) / static_cast<double>(allocated_bytes);
    }
    bool too_narrow() const { return kept == 0 && escape_ratio() > 0.05; }
};

/// The system calls for memory that a heap has made, by cause.
struct SystemCalls {
    std::uint64_t reserve = 0;
    std::uint64_t commit = 0;
    std::uint64_t give_back = 0;
    std::uint64_t advise = 0;
    std::uint64_t release = 0;
    std::uint64_t populate = 0;  ///< pages backed ahead of the program
    std::uint64_t total() const { return reserve + commit + give_back + advise + release + populate; }
};

/// The last full collection, in parts.
struct FullCollectionReport {
    std::chrono::nanoseconds mark{}, sweep{}, destructors{}, compact{};
    Bytes before_bytes = 0;  ///< in spans, before
    Bytes live_bytes = 0;
    Bytes after_bytes = 0;  ///< in spans, after
    std::uint64_t live_objects = 0;
    std::uint64_t spans_slid = 0;
    std::uint64_t spans_stayed = 0;
};

/// A view of a heap's figures as they are now; valid as long as the heap.
class PERFLOC_API Stats {
public:
    explicit Stats(const detail::HeapCore& heap) : heap_(&heap) {}

    const PauseHistogram& pauses() const;
    const PauseHistogram& pauses(PauseCause cause) const;
    std::vector<PauseEvent> last_pauses() const;  ///< at most 4,096, oldest first. Not while the mutator runs.
    /// The least share of any window of this length that was the program's: 1 without pauses, 0 where a pause is as long as
    /// the window. Knows the last 4,096 pauses only (see last_pauses), and nothing that is not timed. O(p log p), p <= 4,096.
    double mmu(std::chrono::nanoseconds window) const;
    /// Slices of collections that took longer than they were given.
    std::uint64_t slice_overruns() const;
    std::uint64_t slice_overruns(PauseCause cause) const;
    /// By bytes allocated, descending. What is open is counted on the mutator's own thread only.
    std::vector<LabelStats> labels() const;
    SystemCalls system_calls() const;

    Bytes reserved_bytes() const;  ///< granted by the system
    Bytes limit_bytes() const;
    Bytes committed_bytes() const;  ///< handed out or backed ahead since the last give-back, in blocks of 256 KiB
    Bytes peak_committed_bytes() const;
    Bytes prefaulted_bytes() const;  ///< backed ahead of the program since the heap was made
    Bytes used_bytes() const;        ///< in spans of open scopes
    Bytes metadata_bytes() const;    ///< slots and cleanups recorded, and scratch memory
    Bytes released_bytes() const;    ///< in O(1), at the ends of scopes
    Bytes promoted_bytes() const;
    std::uint64_t scopes_released() const;  ///< in O(1)
    std::uint64_t promotions() const;       ///< ends of scopes that had survivors copied out
    std::uint64_t scope_collections() const;
    std::uint64_t full_collections() const;
    FullCollectionReport last_full() const;
    std::uint64_t lost_handles() const;  ///< handles that outlived their mutator and read null
    std::uint64_t stale_words()
        const;  ///< words of a stack that look like raw pointers kept over a poll (debug builds)
    std::uint64_t suspicious_words() const;  ///< undeclared words that look like references (debug builds, verifier)

private:
    const detail::HeapCore* heap_;
};

}  // namespace perfloc
