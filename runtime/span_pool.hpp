#pragma once

#include "runtime/region_table.hpp"
#include "runtime/span.hpp"

#include <cstdint>

namespace perfloc::detail {

enum class BlockState : std::uint8_t {
    untouched,  ///< above the frontier
    whole,      ///< one span
    paged,      ///< cut into runs of pages; `free_pages` says which are free
    large,      ///< part of a large object's span (its last block may be paged)
    free,       ///< in one of the two lists of free blocks
};

/// What is known of a block of 256 KiB.
struct BlockInfo {
    std::uint64_t free_pages;
    std::uint32_t next;
    std::uint32_t previous;
    BlockState state;
    bool resident;       ///< its pages count as committed
    bool listed;         ///< in the list of paged blocks with free pages
    bool stamped_whole;  ///< its pages name its first page as their span
    std::uint32_t padding;
};
static_assert(sizeof(BlockInfo) == 24);

class EventBus;

/// Where spans come from and go to. Released regions are a stack: a region of any size is released by a push, and its
/// spans are handed out again, or returned to their blocks, one by one as memory is asked for. So the next scope runs in
/// the memory that was used last. law [syscall]: handing out what was released calls nothing.
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
    /// A span of its own for an object of `bytes`, header included. O(blocks) at worst.
    std::uint32_t take_large(Region& region, std::size_t bytes);

    /// Takes all spans of a region that was unlinked from everything. O(1) at any size.
    void release(Region& region);
    /// Takes one span back that was removed from its region's lists.
    void release_span(Region& region, std::uint32_t page);
    /// Works the whole stack of released regions off. O(spans in it).
    void consolidate();
    /// Touches the pages of so many bytes of blocks that were never handed out, as far as the limit allows.
    void prefault(std::size_t bytes);
    /// Returns free blocks to the system until `bytes` more may be committed. False when that is not enough.
    bool make_room(std::size_t bytes);

    /// At least `bytes` can be handed out as spans, however they are cut.
    bool has_room(std::size_t bytes);

    /// From the heap's base to the end of the last block that was ever handed out.
    std::size_t frontier_bytes() const { return std::size_t{frontier_} * kBlockBytes; }
    std::size_t committed_bytes() const { return committed_blocks_ * kBlockBytes; }
    std::size_t peak_committed_bytes() const { return peak_blocks_ * kBlockBytes; }
    std::size_t used_bytes() const { return used_pages_ * kPageBytes; }
    std::size_t limit_bytes() const { return limits_.hard; }
    std::uint64_t new_generation() { return ++generation_; }
    std::uint64_t generation() const { return generation_; }  ///< of the span that was handed out last
    /// So many bytes can be handed out without a system call or a page fault.
    void prepare(std::size_t bytes);
    std::uint64_t give_backs() const { return give_backs_; }

private:
    std::uint32_t take_block();
    std::uint32_t take_run(std::uint32_t pages, bool aligned);
    std::uint32_t take_blocks(std::size_t count);
    std::uint32_t find_free_blocks(std::size_t count);
    std::uint32_t frontier_blocks(std::size_t count);
    bool dissolve_one();
    void push_released(Region& region);
    void return_pages(std::uint32_t page, std::uint32_t pages);
    void return_run(std::uint32_t page, std::uint32_t pages);
    void return_block(std::uint32_t block);
    void claim(std::uint32_t block, BlockState state);
    void list_paged(std::uint32_t block);
    void unlist_paged(std::uint32_t block);
    void hand_out(Region& region, std::uint32_t page, std::uint32_t pages, SpanKind kind);
    void link(std::uint32_t& list, std::uint32_t block);
    void unlink(std::uint32_t& list, std::uint32_t block);
    static std::uint32_t block_of(std::uint32_t page) { return page / kPagesPerBlock; }
    static std::uint32_t first_page(std::uint32_t block) { return block * kPagesPerBlock; }

    Memory& memory_;
    PageTable& pages_;
    RegionTable& regions_;
    BlockInfo* blocks_;
    Limits limits_;
    Region* released_ = nullptr;
    Region* quarantine_first_ = nullptr;
    Region* quarantine_last_ = nullptr;
    std::size_t quarantined_pages_ = 0;
    std::uint32_t paged_ = 0;          // list of paged blocks with free pages
    std::uint32_t free_resident_ = 0;  // lists of free blocks
    std::uint32_t free_returned_ = 0;
    std::size_t free_blocks_ = 0;
    std::size_t returned_blocks_ = 0;  // of those, given back to the system
    std::uint32_t frontier_ = 1;       // block 0 is never handed out, so that page 0 can mean none
    std::size_t committed_blocks_ = 0;
    std::size_t peak_blocks_ = 0;
    std::size_t used_pages_ = 0;
    std::uint64_t generation_ = 0;
    std::uint64_t give_backs_ = 0;
    EventBus* events_ = nullptr;
};

}  // namespace perfloc::detail
