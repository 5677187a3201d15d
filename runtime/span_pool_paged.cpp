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
    const std::uint32_t page = take_block();
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

/// Of the paged blocks, so many at most are looked at.
std::uint32_t SpanPool::find_run(std::uint32_t pages, bool aligned, std::size_t most) {
    for (std::uint32_t block = paged_; block != 0 && most != 0; block = blocks_[block].next, --most) {
        std::uint64_t starts = run_starts(blocks_[block].free_pages, pages);
        if (aligned) starts &= aligned_starts(pages);
        if (starts == 0) continue;
        const auto first = static_cast<unsigned>(std::countr_zero(starts));
        claim_run(block, first, pages);
        return first_page(block) + first;
    }
    return 0;
}

bool SpanPool::worth_filling_holes() const {
    return free_runs_ >= kPagesPerBlock && free_runs_ >= used_pages_ / kHolesWorthIt;
}

std::uint32_t SpanPool::take_hole(Region& region, std::uint32_t needed, SpanKind kind) {
    Guard guard(lock_);
    const std::uint32_t least = std::max(needed, kLeastHole);
    std::size_t most = kPagedBlocksTried;
    for (std::uint32_t block = paged_; block != 0 && most != 0; block = blocks_[block].next, --most) {
        const std::uint64_t free = blocks_[block].free_pages;
        std::uint64_t starts = 0;
        for (std::uint32_t pages = kPagesPerBlock / 2; starts == 0 && pages > least; pages /= 2) {
            starts = run_starts(free, pages);  // the longest, within a power of two
        }
        if (starts == 0) starts = run_starts(free, least);
        if (starts == 0) continue;
        const auto first = static_cast<unsigned>(std::countr_zero(starts));
        const auto pages = static_cast<std::uint32_t>(std::countr_one(free >> first));
        claim_run(block, first, pages);
        const std::uint32_t page = first_page(block) + first;
        const bool stamped = begin_hand_out(page, pages);
        guard.unlock();
        hand_out(region, page, pages, kind, stamped);
        return page;
    }
    return 0;
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
    if (info.free_pages != 0) list_paged(block);
}

void SpanPool::claim_run(std::uint32_t block, unsigned first, std::uint32_t pages) {
    BlockInfo& info = blocks_[block];
    info.free_pages &= ~run_mask(first, pages);
    free_runs_ -= pages;
    if (info.free_pages == 0) unlist_paged(block);
}

void SpanPool::return_run(std::uint32_t page, std::uint32_t pages, std::uint32_t idle_since) {
    const std::uint32_t block = block_of(page);
    BlockInfo& info = blocks_[block];
    info.free_pages |= run_mask(page % kPagesPerBlock, pages);
    free_runs_ += pages;
    if (info.free_pages == ~std::uint64_t{0}) {
        free_runs_ -= kPagesPerBlock;
        unlist_paged(block);
        return_block(block, idle_since);
    } else {
        list_paged(block);
    }
}

void SpanPool::list_paged(std::uint32_t block) {
    if (blocks_[block].listed) return;
    blocks_[block].listed = true;
    link(paged_, block);
}

void SpanPool::unlist_paged(std::uint32_t block) {
    if (!blocks_[block].listed) return;
    blocks_[block].listed = false;
    unlink(paged_, block);
}

}  // namespace perfloc::detail
