#pragma once

#include <perfloc/detail/hot.hpp>
#include <perfloc/options.hpp>
#include <perfloc/stats.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

/// The reservation: one mapping that holds the heap's blocks and, behind them, the tables that describe them.
namespace perfloc::detail {

inline constexpr std::size_t kBlockBytes = 256 * 1024;
inline constexpr std::size_t kBlockShift = 18;
inline constexpr std::size_t kPagesPerBlock = kBlockBytes / kPageBytes;
inline constexpr std::size_t kWordsPerBlock = kBlockBytes / kWordBytes;

/// One table beside the heap: `per_block` bytes for each block, and never less than `least` in all.
enum class Area : std::uint8_t {
    region_of_page,
    span_of_page,
    block_spans,
    inner_spans,
    blocks,
    marks,
    forwarding,
    records,
    regions,
    chunks,
    scratch,
    live,
    cycle_scratch,
    set_pages
};
inline constexpr std::size_t kAreas = 14;

struct AreaShape {
    std::size_t per_block;
    std::size_t least;
    /// So many times the size where memory is accessible at once: addresses cost nothing there.
    std::size_t on_demand = 1;
};

/// The ladder's last rung.
inline constexpr std::size_t kLeastReservation = 1024 * 1024;
/// Page numbers have 32 bits.
inline constexpr std::size_t kMostReservation = std::size_t{1} << 43;

/// Reserves, commits, populates, gives back and counts every system call for memory. Thread-safe.
class Memory {
public:
    /// Down a ladder from `bytes`, halving, to what the system grants. Throws ReservationError below 1 MiB.
    Memory(std::size_t bytes, Commit commit, const std::array<AreaShape, kAreas>& shapes);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    char* base() const { return base_; }
    std::size_t bytes() const { return bytes_; }
    std::size_t blocks() const { return bytes_ / kBlockBytes; }
    char* area(Area a) const { return area_start_[static_cast<std::size_t>(a)]; }
    std::size_t area_bytes(Area a) const { return area_bytes_[static_cast<std::size_t>(a)]; }

    /// Makes the first `blocks` blocks and their part of each table accessible. False when the system refuses. No system
    /// call unless a step of 64 MiB (on demand: 1 GiB, for core dumps) is crossed.
    bool commit_blocks(std::size_t blocks);
    std::size_t accessible_blocks() const { return accessible_blocks_.load(std::memory_order_acquire); }
    /// How many bytes of an area may be used now.
    std::size_t area_committed(Area a) const;
    /// Returns the pages of [start, start + bytes) to the system; they read as zero afterwards. False when the system
    /// refuses (locked memory): they are as they were.
    bool give_back(char* start, std::size_t bytes);
    /// Backs blocks that are accessible with memory before anyone touches them, and the tables that describe them; changes
    /// no byte, also where another thread writes there meanwhile. False when the system has no memory for the blocks.
    bool populate_blocks(std::size_t first, std::size_t count);
    /// The same for a part of a table that may be used.
    bool populate_area(Area area, std::size_t from, std::size_t bytes) {
        return populate(this->area(area) + from, bytes);
    }

    SystemCalls system_calls() const;
    bool in_steps() const { return in_steps_; }

private:
    bool try_reserve(std::size_t bytes, const std::array<AreaShape, kAreas>& shapes);
    bool commit_step(std::size_t blocks);
    bool populate(char* start, std::size_t bytes);
    std::size_t area_part(std::size_t area, std::size_t blocks) const;
    std::size_t area_size(const AreaShape& shape, std::size_t blocks) const;

    char* base_ = nullptr;
    std::size_t bytes_ = 0;
    char* mapping_ = nullptr;
    std::size_t mapping_bytes_ = 0;
    std::array<char*, kAreas> area_start_{};
    std::array<std::size_t, kAreas> area_bytes_{};
    std::array<AreaShape, kAreas> shapes_{};
    bool in_steps_ = false;
    std::mutex step_;  // one thread at a time makes more accessible
    std::atomic<std::size_t> accessible_blocks_{0};
    std::atomic<bool> can_populate_{true};  // relaxed: a hint, learned once
    // Relaxed: each counter stands alone.
    struct {
        std::atomic<std::uint64_t> reserve{0}, commit{0}, give_back{0}, advise{0}, populate{0}, release{0};
    } calls_;
};

/// The smaller of the machine's memory and the cgroup's limit, in bytes.
std::size_t machine_limit();

/// The system counts every accessible page against a fixed sum (vm.overcommit_memory = 2).
bool strict_overcommit();

}  // namespace perfloc::detail
