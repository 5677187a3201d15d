#pragma once

#include "runtime/region_table.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/span.hpp"
#include "runtime/spin_lock.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace perfloc::detail {

enum class BlockState : std::uint8_t {
    untouched,  ///< above the frontier
    whole,      ///< one span
    paged,      ///< cut into runs of pages; `free_pages` says which are free
    large,      ///< part of a large object's span (its last block may be paged)
    free,       ///< in one of the two lists of free blocks
    busy,       ///< taken out by the background: the system is asked to back it, or to take it back
};

/// What is known of a block of 256 KiB.
struct BlockInfo {
    std::uint64_t free_pages;
    std::uint32_t next;
    std::uint32_t previous;
    BlockState state;
    bool resident : 1;         ///< its pages count as committed
    bool stamped_whole : 1;    ///< its pages name its first page as their span
    bool ahead : 1;            ///< backed ahead of the program, and not taken since
    std::uint8_t run_list;     ///< of a paged one: 1 + the number of its list, or 0 where none of its pages is free
    std::uint32_t idle_since;  ///< of a free one: the pool's clock when it was last used
};
static_assert(sizeof(BlockInfo) == 24);

class EventBus;

/// Neighbouring blocks.
struct BlockRun {
    std::uint32_t first = 0;
    std::uint32_t count = 0;

    bool empty() const { return count == 0; }
};

/// Where spans come from and go to. Released regions are stacks, those with whole blocks first: a region of any size is released by a push, and its
/// spans are handed out again, or returned to their blocks, one by one as memory is asked for. So the next scope runs in
/// the memory that was used last. law [syscall]: handing out what was released calls nothing.
///
/// Thread-safe between mutators and the thread that works in the background. One lock, held for about a microsecond, guards
/// blocks, lists and released regions; a span that was handed out is its taker's. The background takes blocks out under
/// the lock (they are busy), calls the system without it, and puts them back.
class SpanPool {
public:
    struct Limits {
        std::size_t hard = 0;        ///< most bytes committed
        std::size_t quarantine = 0;  ///< released bytes that are not handed out again at once (stress, ASan)
    };

    SpanPool(Memory& memory, PageTable& pages, RegionTable& regions, Limits limits);
    /// Whom it tells of memory that goes back to the system.
    void tell(EventBus& events) { events_ = &events; }

    /// Hands a span of `pages` pages (a power of two up to 64) to `region`. Returns its first page, or 0 at the limit.
    /// Amortised O(1).
    std::uint32_t take(Region& region, std::uint32_t pages, SpanKind kind);
    /// Free pages between others are so many that they are better used before whole blocks.
    bool worth_filling_holes() const;
    /// As take(), of any number of pages from `needed` on that are free in a row and less than a block; 0 where none was found
    /// soon. O(1).
    std::uint32_t take_hole(Region& region, std::uint32_t needed, SpanKind kind);
    /// A span of a whole block, by its first page, is cut: its pages go back as runs. O(1).
    void open_block(std::uint32_t page);
    /// A span of its own for an object of `bytes`, header included. O(blocks) at worst.
    std::uint32_t take_large(Region& region, std::size_t bytes);

    /// Takes all spans of a region that was unlinked from everything. O(1) at any size.
    void release(Region& region);
    /// Takes one span back that was removed from its region's lists.
    void release_span(Region& region, std::uint32_t page);
    /// Works the whole stack of released regions off. O(spans in it).
    void consolidate();
    /// What stress modes hold back, so that its use after the end is seen, is released. O(spans in it).
    void drain_quarantine();
    /// Touches the pages of so many bytes of blocks that were never handed out, as far as the limit allows. Returns of how many.
    std::size_t prefault(std::size_t bytes);
    /// Returns free blocks to the system until `bytes` more may be committed. False when that is not enough.
    bool make_room(std::size_t bytes);

    /// At least `bytes` can be handed out as spans, however they are cut.
    bool has_room(std::size_t bytes);

    /// From the heap's base to the end of the last block that was ever handed out or backed ahead.
    std::size_t frontier_bytes() const { return frontier_blocks() * kBlockBytes; }
    std::size_t frontier_blocks() const { return frontier_; }
    std::size_t committed_bytes() const { return committed_blocks_ * kBlockBytes; }
    std::size_t peak_committed_bytes() const { return peak_blocks_ * kBlockBytes; }
    std::size_t used_bytes() const { return used_pages_ * kPageBytes; }
    std::size_t limit_bytes() const { return limits_.hard; }
    /// Relaxed: no more than a number that nobody else has.
    std::uint64_t new_generation() { return generation_.fetch_add(1, std::memory_order_relaxed) + 1; }
    std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }  ///< of the newest span
    /// So many bytes can be handed out without a system call or a page fault. False where the limit, or the system, is in the way.
    bool prepare(std::size_t bytes);
    std::uint64_t give_backs() const { return give_backs_; }

    // --- the background: one thread, in bounded pieces (span_pool_background.cpp)

    /// Idle memory is as old as this clock says, which only the background moves: in milliseconds, it may wrap.
    void set_clock(std::uint32_t now) { clock_ = now; }
    /// Returns up to `most_pages` of the region that was released longest ago to their blocks, if that is `least_age` ago.
    /// False when there is none.
    bool dissolve_idle(std::uint32_t least_age, std::uint32_t most_pages);
    /// Takes out neighbouring blocks that have no memory, at most `most`, as far as the limit allows: they count as
    /// committed. None is above what Memory has made accessible.
    BlockRun begin_ahead(std::size_t most);
    /// Puts them back; `backed`: with memory.
    void end_ahead(BlockRun run, bool backed);
    /// Takes out neighbouring blocks that were free for `least_age`, at most `most`, the highest ones first. They count as
    /// committed. Looks at a bounded number of blocks, downwards from where the last call stopped; at the bottom
    /// `end_of_pass` is set, and the next call begins at the top.
    BlockRun begin_return(std::uint32_t least_age, std::size_t most, bool& end_of_pass);
    /// Puts them back; `returned`: without memory.
    void end_return(BlockRun run, bool returned);

    /// Blocks without memory, or backed ahead, that the program has taken so far: how fast the heap grows.
    std::uint64_t grown_blocks() const { return grown_blocks_; }
    /// Free blocks that have memory.
    std::size_t idle_blocks() const { return free_blocks_ - std::min<std::size_t>(free_blocks_, returned_blocks_); }
    /// What released regions hold of them: these are handed out before any other.
    std::size_t released_blocks() const { return released_blocks_; }
    std::size_t prefaulted_bytes() const { return prefaulted_blocks_ * kBlockBytes; }

private:
    /// A stack of regions, linked by next and previous.
    struct Released {
        Region* newest = nullptr;
        Region* oldest = nullptr;

        bool empty() const { return newest == nullptr; }
        void push(Region& region);
        void unlink(Region& region);
    };

    // With the lock held, all of them.
    using Guard = std::unique_lock<SpinLock>;
    std::uint32_t take_large_pages(std::size_t pages);
    std::uint32_t take_block();
    std::uint32_t take_ready_block();
    std::uint32_t take_run(std::uint32_t pages, bool aligned);
    std::uint32_t find_run(std::uint32_t pages, bool aligned, std::size_t most);
    std::uint32_t block_with_run_anywhere(std::uint32_t pages, std::size_t most) const;
    std::uint32_t take_blocks(std::size_t count);
    std::uint32_t find_free_blocks(std::size_t count);
    std::uint32_t fresh_blocks(std::size_t count);
    bool make_room_now(std::size_t bytes);
    std::size_t available_blocks() const;
    void work_off();
    void release_quarantine();
    bool dissolve_one();
    void push_released(Region& region);
    Released* idle_stack(std::uint32_t least_age);
    bool dissolve_crumbs();
    void forget(Released& stack, Region& region);
    std::uint32_t pop_released(Region& region, SpanList& list);
    void return_pages(std::uint32_t page, std::uint32_t pages, std::uint32_t idle_since);
    void return_run(std::uint32_t page, std::uint32_t pages, std::uint32_t idle_since);
    void return_block(std::uint32_t block, std::uint32_t idle_since);
    void return_without_memory(std::uint32_t block);
    void claim(std::uint32_t block, BlockState state);
    bool is_idle(std::uint32_t block, std::uint32_t least_age) const;
    bool wait_for_busy(Guard& guard);
    void page_block(std::uint32_t block, std::uint32_t used);
    void claim_run(std::uint32_t block, unsigned first, std::uint32_t pages);
    void list_paged(std::uint32_t block);
    bool begin_hand_out(std::uint32_t page, std::uint32_t pages);
    void link(std::uint32_t& list, std::uint32_t block);
    void unlink(std::uint32_t& list, std::uint32_t block);

    // Without.
    void hand_out(Region& region, std::uint32_t page, std::uint32_t pages, SpanKind kind, bool stamped);
    static std::uint32_t block_of(std::uint32_t page) { return page / kPagesPerBlock; }
    static std::uint32_t first_page(std::uint32_t block) { return block * kPagesPerBlock; }

    Memory& memory_;
    PageTable& pages_;
    RegionTable& regions_;
    BlockInfo* blocks_;
    Limits limits_;
    SpinLock lock_;
    Released released_;  // those with whole blocks
    Released crumbs_;    // and those without: of any number of them, nothing may come but runs
    Region* quarantine_first_ = nullptr;
    Region* quarantine_last_ = nullptr;
    std::size_t quarantined_pages_ = 0;
    /// Of paged blocks, by their longest_aligned_run(): the one that fits best is found in O(1). Where all are free, it is whole.
    static constexpr unsigned kRunLists = 6;
    std::uint32_t paged_[kRunLists] = {};
    std::uint32_t free_resident_ = 0;  // lists of free blocks
    std::uint32_t free_returned_ = 0;
    std::uint32_t scan_ = 0;    // where begin_return() goes on, downwards; 0: at the top
    std::atomic<int> busy_{0};  // pieces that the background has taken out
    Figure<std::uint32_t> clock_;
    Figure<std::size_t> released_blocks_;  // whole ones
    Figure<std::size_t> free_runs_;        // pages, in paged blocks
    Figure<std::size_t> free_blocks_;
    Figure<std::size_t> returned_blocks_;  // of those, given back to the system
    Figure<std::uint32_t> frontier_{1};    // block 0 is never handed out, so that page 0 can mean none
    Figure<std::size_t> committed_blocks_;
    Figure<std::size_t> peak_blocks_;
    Figure<std::size_t> used_pages_;
    Figure<std::uint64_t> grown_blocks_;
    Figure<std::size_t> prefaulted_blocks_;
    Figure<std::uint64_t> give_backs_;
    std::atomic<std::uint64_t> generation_{0};
    EventBus* events_ = nullptr;
};

}  // namespace perfloc::detail
