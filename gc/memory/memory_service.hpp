#pragma once

#include "runtime/clock.hpp"
#include "runtime/heap_core.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace perfloc::gc {

using detail::Clock;
using detail::HeapCore;

/// Memory ahead and back, beside the mutators: a heap that grows finds its next blocks backed with memory, and what no
/// scope has used for a while goes back to the system. One thread calls work(), in bounded pieces; it needs nothing else
/// of the heap, and no mutator need be attached or stopped.
class MemoryService {
public:
    explicit MemoryService(HeapCore& heap);

    /// One piece of work: at most one system call for 2 MiB ahead (and its tables), or for 8 MiB back, or some hundred
    /// table entries. Returns how long the caller may sleep before the next call: zero while there is more to do. Idle
    /// memory ages by the time between two calls, but never by more than a quarter of Options::return_after.
    std::chrono::nanoseconds work(Clock::time_point now);

    /// There is something to do at once: more of the last piece's kind, or the program has begun to take fresh blocks. Any
    /// thread may ask; O(1).
    bool behind() const;

private:
    static constexpr std::size_t kAheadPiece = (std::size_t{2} << 20) / detail::kBlockBytes;
    static constexpr std::size_t kReturnPiece = (std::size_t{8} << 20) / detail::kBlockBytes;
    static constexpr std::uint32_t kDissolvedPages = 1024;
    static constexpr std::chrono::seconds kAfterRefusal{1};

    void tell_time(Clock::time_point now);
    void learn_demand(Clock::time_point now);
    bool get_ahead(Clock::time_point now);
    bool give_back(Clock::time_point now);

    HeapCore& heap_;
    bool started_ = false;
    Clock::time_point last_call_{};
    std::chrono::nanoseconds idle_time_{0};  // what the pool's clock shows, finer
    Clock::time_point period_start_{};
    Clock::time_point no_ahead_before_{};  // after a refusal
    Clock::time_point no_return_before_{};
    bool pass_ended_ = false;  // all blocks were looked at since the pool's clock moved last
    // Relaxed: behind() is a hint.
    std::atomic<std::uint64_t> grown_;  // the pool's count at the start of the period
    std::atomic<std::size_t> demand_{0};
    std::atomic<bool> more_{false};
};

}  // namespace perfloc::gc
