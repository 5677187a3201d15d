#include "runtime/page_runs.hpp"
#include "runtime/span_pool.hpp"

#include <algorithm>
#include <bit>

/// The pool's blocks that are cut into runs of pages: small spans, ends of large objects, and holes of what lives on.
namespace perfloc::detail {

namespace {

constexpr std::size_t kPagedBlocksTried = 16;  // then a fresh block is cut, so that taking a run is O(1)
constexpr std::uint32_t kCrumbsAtOnce = 32;
constexpr std::uint32_t kLeastHole = 4;    // pages, for a region that is large already
constexpr std::size_t kHolesWorthIt = 32;  // so small a part of what is used is left alone

}  // namespace

std::uint32_t SpanPool::take_run(std::uint32_t pages, bool aligned) {
    if (const std::uint32_t found = find_run(pages, aligned, kPagedBlocksTried); found != 0) return found;
    if (dissolve_crumbs()) {
        if (const std::uint32_t found = find_run(pages, aligned, kPagedBlocksTried); found != 0) return found;
    }
    std::uint32_t page = take_ready_block();
    if (page == 0) {  // at the limit: as much of what was released in runs as it takes
        while (free_resident_ == 0 && dissolve_crumbs()) {
            if (const std::uint32_t found = find_run(pages, aligned, kPagedBlocksTried); found != 0) return found;
        }
        page = take_block();
    }
    if (page == 0) return find_run(pages, aligned, SIZE_MAX);  // all of them, before a refusal
    page_block(block_of(page), pages);
    pages_.stamp_region(page, kPagesPerBlock, kNoRegion);
    return page;
}

/// Of what was released in runs, so much at most: holes of what lives on may never make a block. False when there is none.
bool SpanPool::dissolve_crumbs() {
    if (crumbs_.empty()) return false;
    for (std::uint32_t i = 0; i < kCrumbsAtOnce && !crumbs_.empty(); ++i) dissolve_one();
    return true;
}

/// An aligned run, of a power of two, is found in O(1) if there is one. Of the blocks that may have another by chance, so many
/// at most are looked at.
std::uint32_t SpanPool::find_run(std::uint32_t pages, bool aligned, std::size_t most) {
    std::uint32_t block = 0;
    for (auto list = static_cast<unsigned>(std::bit_width(pages - 1)); block == 0 && list < kRunLists; ++list) {
        block = paged_[list];  // the block with the least that suffices
    }
    if (block == 0 && !aligned) block = block_with_run_anywhere(pages, most);
    if (block == 0) return 0;
    std::uint64_t starts = run_starts(blocks_[block].free_pages, pages);
    if (aligned) starts &= aligned_starts(pages);
    const auto first = static_cast<unsigned>(std::countr_zero(starts));
    claim_run(block, first, pages);
    return first_page(block) + first;
}

/// Of the blocks with no aligned run of as many, which may have one that starts anywhere.
std::uint32_t SpanPool::block_with_run_anywhere(std::uint32_t pages, std::size_t most) const {
    const auto from = static_cast<unsigned>(std::bit_width(pages - 1));
    const auto to = static_cast<unsigned>(std::bit_width(pages + 1)) - 2;  // any 2^(k+1) - 1 pages have an aligned 2^k
    for (unsigned list = from; list-- > to;) {
        for (std::uint32_t block = paged_[list]; block != 0 && most != 0; block = blocks_[block].next, --most) {
            if (run_starts(blocks_[block].free_pages, pages) != 0) return block;
        }
    }
    return 0;
}

bool SpanPool::worth_filling_holes() const {
    return free_runs_ >= kPagesPerBlock && free_runs_ >= used_pages_ / kHolesWorthIt;
}

std::uint32_t SpanPool::take_hole(Region& region, std::uint32_t needed, SpanKind kind) {
    Guard guard(lock_);
    const std::uint32_t least = std::max(needed, kLeastHole);
    std::uint32_t block = 0;
    for (unsigned list = kRunLists; block == 0 && list-- > static_cast<unsigned>(std::bit_width(least - 1));) {
        block = paged_[list];  // the longest, within a power of two
    }
    if (block == 0) block = block_with_run_anywhere(least, kPagedBlocksTried);
    if (block == 0) return 0;
    const std::uint64_t free = blocks_[block].free_pages;
    std::uint64_t starts = 0;
    for (std::uint32_t pages = kPagesPerBlock / 2; starts == 0 && pages > least; pages /= 2) {
        starts = run_starts(free, pages);
    }
    if (starts == 0) starts = run_starts(free, least);
    const auto first = static_cast<unsigned>(std::countr_zero(starts));
    const auto pages = static_cast<std::uint32_t>(std::countr_one(free >> first));
    claim_run(block, first, pages);
    const std::uint32_t page = first_page(block) + first;
    const bool stamped = begin_hand_out(page, pages);
    guard.unlock();
    hand_out(region, page, pages, kind, stamped);
    return page;
}

void SpanPool::open_block(std::uint32_t page) {
    const Guard guard(lock_);
    page_block(block_of(page), kPagesPerBlock);
}

/// The block, which is handed out, is one of pages from here on; the first so many of them are not free.
void SpanPool::page_block(std::uint32_t block, std::uint32_t used) {
    BlockInfo& info = blocks_[block];
    info.state = BlockState::paged;
    info.stamped_whole = false;
    info.free_pages = ~run_mask(0, used);
    free_runs_ += kPagesPerBlock - used;
    list_paged(block);
}

void SpanPool::claim_run(std::uint32_t block, unsigned first, std::uint32_t pages) {
    BlockInfo& info = blocks_[block];
    info.free_pages &= ~run_mask(first, pages);
    free_runs_ -= pages;
    list_paged(block);
}

void SpanPool::return_run(std::uint32_t page, std::uint32_t pages, std::uint32_t idle_since) {
    const std::uint32_t block = block_of(page);
    BlockInfo& info = blocks_[block];
    info.free_pages |= run_mask(page % kPagesPerBlock, pages);
    free_runs_ += pages;
    if (info.free_pages == ~std::uint64_t{0}) {
        free_runs_ -= kPagesPerBlock;
        if (info.run_list != 0) unlink(paged_[info.run_list - 1], block);
        info.run_list = 0;
        return_block(block, idle_since);
    } else {
        list_paged(block);
    }
}

/// Where its free pages belong, which may have changed.
void SpanPool::list_paged(std::uint32_t block) {
    BlockInfo& info = blocks_[block];
    const std::uint8_t list =
        info.free_pages == 0 ? 0 : static_cast<std::uint8_t>(longest_aligned_run(info.free_pages) + 1);
    if (list == info.run_list) return;
    if (info.run_list != 0) unlink(paged_[info.run_list - 1], block);
    info.run_list = list;
    if (list != 0) link(paged_[list - 1], block);
}

}  // namespace perfloc::detail
