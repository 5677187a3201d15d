#include "gc/memory/memory_service.hpp"

#include "gc/policy/memory_policy.hpp"

#include <algorithm>
#include <limits>

namespace perfloc::gc {

using detail::BlockRun;
using detail::kBlockBytes;

namespace {

/// In the unit of the pool's clock.
std::uint32_t milliseconds(std::chrono::nanoseconds duration) {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(
        std::min(most, std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()));
}

}  // namespace

MemoryService::MemoryService(HeapCore& heap) : heap_(heap), grown_(heap.pool.grown_blocks()) {}

std::chrono::nanoseconds MemoryService::work(Clock::time_point now) {
    tell_time(now);
    learn_demand(now);
    const auto& return_after = heap_.options.return_after;
    const bool more = heap_.chunks.get_ahead() || get_ahead(now) ||
                      heap_.pool.dissolve_idle(milliseconds(dissolve_after(return_after)), kDissolvedPages) ||
                      give_back(now);
    more_.store(more, std::memory_order_relaxed);
    return more ? std::chrono::nanoseconds::zero() : rest(demand_.load(std::memory_order_relaxed), return_after);
}

bool MemoryService::behind() const {
    if (more_.load(std::memory_order_relaxed)) return true;
    // Growth since the last look, and nothing ready for it.
    return heap_.pool.idle_blocks() == 0 && heap_.pool.released_blocks() == 0 &&
           heap_.pool.grown_blocks() != grown_.load(std::memory_order_relaxed);
}

void MemoryService::tell_time(Clock::time_point now) {
    if (!started_) {
        started_ = true;
        last_call_ = period_start_ = now;
        no_ahead_before_ = no_return_before_ = now;
    }
    // Of what was released while the caller was away, nobody knows when: none of it ages much by that.
    const std::chrono::nanoseconds most =
        std::max<std::chrono::nanoseconds>(heap_.options.return_after / 4, std::chrono::milliseconds(1));
    const std::uint32_t before = static_cast<std::uint32_t>(idle_time_ / std::chrono::milliseconds(1));
    idle_time_ += std::clamp<std::chrono::nanoseconds>(now - last_call_, std::chrono::nanoseconds::zero(), most);
    last_call_ = std::max(last_call_, now);
    const auto shown = static_cast<std::uint32_t>(idle_time_ / std::chrono::milliseconds(1));
    if (shown != before) {
        heap_.pool.set_clock(shown);
        pass_ended_ = false;
    }
}

void MemoryService::learn_demand(Clock::time_point now) {
    const std::chrono::nanoseconds elapsed = now - period_start_;
    const std::uint64_t grown = heap_.pool.grown_blocks();
    const std::uint64_t taken = grown - grown_.load(std::memory_order_relaxed);
    demand_.store(next_demand(demand_.load(std::memory_order_relaxed), taken, elapsed), std::memory_order_relaxed);
    if (elapsed < kGrowthPeriod) return;
    period_start_ = now;
    grown_.store(grown, std::memory_order_relaxed);
}

bool MemoryService::get_ahead(Clock::time_point now) {
    const std::size_t most = most_ahead(heap_.pool.used_bytes(), heap_.options.soft_limit) / detail::kBlockBytes;
    const std::size_t wanted = blocks_ahead(demand_.load(std::memory_order_relaxed), most);
    const std::size_t idle = heap_.pool.idle_blocks() + heap_.pool.released_blocks();
    if (idle >= wanted || now < no_ahead_before_) return false;
    const std::size_t piece = std::min(wanted - idle, kAheadPiece);
    // The next step of the accessible prefix is taken here too, before the program comes to it.
    const std::size_t blocks = std::min(heap_.pool.frontier_blocks() + piece, heap_.memory.blocks());
    heap_.memory.commit_blocks(blocks);
    const BlockRun run = heap_.pool.begin_ahead(piece);
    if (run.empty()) return false;  // the limit, or the end of the reservation
    const bool backed = heap_.memory.populate_blocks(run.first, run.count);
    heap_.pool.end_ahead(run, backed);
    if (!backed) no_ahead_before_ = now + kAfterRefusal;
    return backed;
}

bool MemoryService::give_back(Clock::time_point now) {
    const std::size_t idle = heap_.pool.idle_blocks() * kBlockBytes;
    const std::size_t promised = heap_.kept_resident.load(std::memory_order_relaxed);
    const std::size_t excess =
        std::min(excess_bytes(idle, heap_.pool.used_bytes()), idle - std::min(idle, promised)) / kBlockBytes;
    if (excess == 0 || pass_ended_ || now < no_return_before_) return false;
    const std::uint32_t age = milliseconds(heap_.options.return_after);
    const BlockRun run = heap_.pool.begin_return(age, std::min(excess, kReturnPiece), pass_ended_);
    if (run.empty()) return !pass_ended_;
    char* const start = heap_.memory.base() + std::size_t{run.first} * kBlockBytes;
    const bool returned = heap_.memory.give_back(start, run.count * kBlockBytes);
    heap_.pool.end_return(run, returned);
    if (!returned) no_return_before_ = now + kAfterRefusal;
    return returned;
}

}  // namespace perfloc::gc
