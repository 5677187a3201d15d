#include "runtime/span_pool.hpp"

#include "runtime/page_runs.hpp"
#include "runtime/poison.hpp"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace perfloc::detail {

SpanPool::SpanPool(Memory& memory, PageTable& pages, RegionTable& regions, Limits limits)
    : memory_(memory),
      pages_(pages),
      regions_(regions),
      blocks_(reinterpret_cast<BlockInfo*>(memory.area(Area::blocks))),
      limits_(limits) {}

// --- handing out -----------------------------------------------------------------------------------------------------

std::uint32_t SpanPool::take(Region& region, std::uint32_t pages, SpanKind kind) {
    Guard guard(lock_);
    std::uint32_t page = 0;
    do {
        page = pages == kPagesPerBlock ? take_block() : take_run(pages, true);
    } while (page == 0 && wait_for_busy(guard));
    if (page == 0) return 0;
    const bool stamped = begin_hand_out(page, pages);
    guard.unlock();
    hand_out(region, page, pages, kind, stamped);
    return page;
}

std::uint32_t SpanPool::take_large(Region& region, std::size_t bytes) {
    const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes;
    Guard guard(lock_);
    std::uint32_t page = 0;
    do {
        page = take_large_pages(pages);
    } while (page == 0 && wait_for_busy(guard));
    if (page == 0) return 0;
    const bool stamped = begin_hand_out(page, static_cast<std::uint32_t>(pages));
    guard.unlock();
    hand_out(region, page, static_cast<std::uint32_t>(pages), SpanKind::large, stamped);
    return page;
}

std::uint32_t SpanPool::take_large_pages(std::size_t pages) {
    if (pages < kPagesPerBlock) return take_run(static_cast<std::uint32_t>(pages), false);
    const std::uint32_t page = take_blocks((pages + kPagesPerBlock - 1) / kPagesPerBlock);
    const auto rest = static_cast<unsigned>(pages % kPagesPerBlock);
    if (page != 0 && rest != 0) {  // what the last block has left is used for runs
        const std::uint32_t last = block_of(page + static_cast<std::uint32_t>(pages));
        page_block(last, rest);
        pages_.stamp_region(first_page(last) + rest, static_cast<std::uint32_t>(kPagesPerBlock) - rest, kNoRegion);
    }
    return page;
}

/// The part of handing out that needs the lock. True when the pages name their span already.
bool SpanPool::begin_hand_out(std::uint32_t page, std::uint32_t pages) {
    used_pages_ += pages;
    BlockInfo& block = blocks_[block_of(page)];
    const bool whole = pages == kPagesPerBlock;
    const bool stamped = block.stamped_whole && whole;
    block.stamped_whole = whole;
    return stamped;
}

void SpanPool::hand_out(Region& region, std::uint32_t page, std::uint32_t pages, SpanKind kind, bool stamped) {
    pages_.stamp_region(page, pages, region.index);
    if (!stamped) pages_.stamp_span(page, pages);
    Span& span = pages_.span(page);
    // Relaxed: a collector asks any span that a reference leads to whether it is in its set.
    store_relaxed(span.cycle, 0u);
    span.top_bytes = span.live_bytes = 0;
    span.pins = span.destination = span.settled = span.held = span.candidate = 0;
    span.live_map = span.slides = span.bumped = span.condemned = span.holes = span.stayed = false;
    span.generation = new_generation();  // law [stale]: it changes here, where the span is handed out
    span.pages = pages;
    span.kind = kind;
    pages_.append(region.of(span), page);
    region.pages += pages;
    unpoison(pages_.address_of(page), std::size_t{pages} * kPageBytes);
}

/// What the background has taken out for a moment comes before a refusal. False when there is nothing.
bool SpanPool::wait_for_busy(Guard& guard) {
    if (busy_.load(std::memory_order_relaxed) == 0) return false;  // raised and lowered with the lock held
    guard.unlock();
    while (busy_.load(std::memory_order_relaxed) != 0) ::sched_yield();
    guard.lock();
    return true;
}

std::uint32_t SpanPool::take_ready_block() {
    if (!released_.empty()) {  // the memory that was used last
        Region& region = *released_.newest;
        const std::uint32_t page = pop_released(region, region.blocks);
        if (region.spans() == 0) {
            forget(released_, region);
        } else if (region.blocks.empty()) {
            released_.unlink(region);
            crumbs_.push(region);
        }
        return page;
    }
    if (free_resident_ == 0) dissolve_crumbs();
    for (std::uint32_t* list : {&free_resident_, &free_returned_}) {
        const std::uint32_t block = *list;
        if (block == 0) continue;
        if (!blocks_[block].resident && committed_bytes() + kBlockBytes > limits_.hard) continue;
        claim(block, BlockState::whole);
        return first_page(block);
    }
    const std::uint32_t block = fresh_blocks(1);
    if (block == 0) return 0;
    claim(block, BlockState::whole);
    return first_page(block);
}

std::uint32_t SpanPool::take_block() {
    if (const std::uint32_t page = take_ready_block(); page != 0) return page;
    // At the limit: all that was released, and what stress modes hold back, comes before a refusal.
    while (free_resident_ == 0 && dissolve_one()) {
    }
    if (free_resident_ == 0) release_quarantine();
    return take_ready_block();
}

std::uint32_t SpanPool::take_blocks(std::size_t count) {
    std::uint32_t block = find_free_blocks(count);
    if (block == 0 && free_blocks_ < count) {
        while (free_blocks_ < count && dissolve_one()) {
        }
        block = find_free_blocks(count);
    }
    if (block == 0) block = fresh_blocks(count);
    if (block == 0) {  // what stress modes hold back comes before a refusal
        release_quarantine();
        block = find_free_blocks(count);
    }
    if (block == 0 && make_room_now(count * kBlockBytes)) {
        block = fresh_blocks(count);
        if (block == 0) block = find_free_blocks(count);  // of free ones, more are allowed now
    }
    if (block == 0) return 0;
    for (std::size_t i = 0; i < count; ++i) claim(block + static_cast<std::uint32_t>(i), BlockState::large);
    return first_page(block);
}

std::uint32_t SpanPool::find_free_blocks(std::size_t count) {
    if (free_blocks_ < count) return 0;
    std::size_t run = 0;
    std::size_t to_commit = 0;
    for (std::uint32_t block = 1; block < frontier_; ++block) {
        if (blocks_[block].state != BlockState::free) {
            run = to_commit = 0;
            continue;
        }
        if (!blocks_[block].resident) ++to_commit;
        if (++run < count) continue;
        if (committed_bytes() + to_commit * kBlockBytes <= limits_.hard)
            return block + 1 - static_cast<std::uint32_t>(count);
        if (!blocks_[block + 1 - count].resident) --to_commit;
        --run;
    }
    return 0;
}

std::uint32_t SpanPool::fresh_blocks(std::size_t count) {
    if (frontier_ + count > memory_.blocks()) return 0;
    if (committed_bytes() + count * kBlockBytes > limits_.hard) return 0;
    if (!memory_.commit_blocks(frontier_ + count)) return 0;
    const std::uint32_t block = frontier_;
    frontier_ += static_cast<std::uint32_t>(count);
    return block;
}

/// Takes a block out of the free lists, or from above the frontier.
void SpanPool::claim(std::uint32_t block, BlockState state) {
    BlockInfo& info = blocks_[block];
    if (info.state == BlockState::free) {
        unlink(info.resident ? free_resident_ : free_returned_, block);
        free_blocks_ -= 1;
        if (!info.resident) returned_blocks_ -= 1;
    }
    if (state != BlockState::busy) {
        if (info.ahead || !info.resident) grown_blocks_ += 1;
        info.ahead = false;
    }
    if (!info.resident) {
        info.resident = true;
        committed_blocks_ += 1;
        peak_blocks_ = std::max<std::size_t>(peak_blocks_, committed_blocks_);
    }
    if (state != BlockState::whole) info.stamped_whole = false;
    info.state = state;
}

// --- taking back -----------------------------------------------------------------------------------------------------

void SpanPool::release(Region& region) {
    regions_.close(region, RegionState::pooled);
    if (region.spans() == 0) {
        if (region.pages != 0) {
            const Guard guard(lock_);
            used_pages_ -= region.pages;
        }
        region.pages = 0;
        regions_.recycle(region);
        return;
    }
    const Guard guard(lock_);  // pages that name what was merged into it lead to it, as long as there are any
    used_pages_ -= region.pages;
    if (limits_.quarantine == 0) {
        push_released(region);
        return;
    }
    region.next = nullptr;
    (quarantine_last_ != nullptr ? quarantine_last_->next : quarantine_first_) = &region;
    quarantine_last_ = &region;
    quarantined_pages_ += region.pages;
    while (quarantined_pages_ * kPageBytes > limits_.quarantine) {
        Region& oldest = *quarantine_first_;
        quarantine_first_ = oldest.next;
        if (quarantine_first_ == nullptr) quarantine_last_ = nullptr;
        quarantined_pages_ -= oldest.pages;
        push_released(oldest);
    }
}

void SpanPool::push_released(Region& region) {
    released_blocks_ += region.blocks.count;
    region.released_at = clock_;
    (region.blocks.empty() ? crumbs_ : released_).push(region);
}

void SpanPool::Released::push(Region& region) {
    region.previous = nullptr;
    region.next = newest;
    (newest != nullptr ? newest->previous : oldest) = &region;
    newest = &region;
}

void SpanPool::Released::unlink(Region& region) {
    (region.previous != nullptr ? region.previous->next : newest) = region.next;
    (region.next != nullptr ? region.next->previous : oldest) = region.previous;
}

std::uint32_t SpanPool::pop_released(Region& region, SpanList& list) {
    const std::uint32_t page = pages_.pop(list);
    region.pages -= pages_.span(page).pages;
    if (&list == &region.blocks) released_blocks_ -= 1;
    return page;
}

void SpanPool::release_span(Region& region, std::uint32_t page) {
    const Span& span = pages_.span(page);
    region.pages -= span.pages;
    poison(pages_.address_of(page), std::size_t{span.pages} * kPageBytes);
    const Guard guard(lock_);
    used_pages_ -= span.pages;
    return_pages(page, span.pages, clock_);
}

bool SpanPool::dissolve_one() {
    Released& stack = crumbs_.empty() ? released_ : crumbs_;
    if (stack.empty()) return false;
    Region& region = *stack.newest;
    for (SpanList* list : {&region.runs, &region.large, &region.blocks}) {
        if (list->empty()) continue;
        const std::uint32_t page = pop_released(region, *list);
        return_pages(page, pages_.span(page).pages, region.released_at);
        break;
    }
    if (region.spans() == 0) forget(stack, region);
    return true;
}

/// No page names it any more, nor what was merged into it.
void SpanPool::forget(Released& stack, Region& region) {
    stack.unlink(region);
    regions_.recycle(region);
}

void SpanPool::consolidate() {
    Guard guard(lock_);
    do {
        work_off();
    } while (wait_for_busy(guard));
}

void SpanPool::drain_quarantine() {
    const Guard guard(lock_);
    release_quarantine();
}

void SpanPool::release_quarantine() {
    const std::size_t cap = std::exchange(limits_.quarantine, 0);
    work_off();
    limits_.quarantine = cap;
}

void SpanPool::work_off() {
    while (quarantine_first_ != nullptr && limits_.quarantine == 0) {
        Region& oldest = *quarantine_first_;
        quarantine_first_ = oldest.next;
        push_released(oldest);
        if (quarantine_first_ == nullptr) quarantine_last_ = nullptr, quarantined_pages_ = 0;
    }
    while (dissolve_one()) {
    }
}

void SpanPool::return_pages(std::uint32_t page, std::uint32_t pages, std::uint32_t idle_since) {
    pages_.stamp_region(page, pages, kNoRegion);
    while (pages > 0) {
        const std::uint32_t block = block_of(page);
        const std::uint32_t here = std::min(pages, static_cast<std::uint32_t>(kPagesPerBlock - page % kPagesPerBlock));
        if (blocks_[block].state == BlockState::paged) {
            return_run(page, here, idle_since);
        } else {
            return_block(block, idle_since);
        }
        page += here;
        pages -= here;
    }
}

void SpanPool::return_block(std::uint32_t block, std::uint32_t idle_since) {
    BlockInfo& info = blocks_[block];
    info.state = BlockState::free;
    info.idle_since = idle_since;
    link(info.resident ? free_resident_ : free_returned_, block);
    free_blocks_ += 1;
    if (!info.resident) returned_blocks_ += 1;
}

// --- lists of blocks -------------------------------------------------------------------------------------------------

void SpanPool::link(std::uint32_t& list, std::uint32_t block) {
    blocks_[block].previous = 0;
    blocks_[block].next = list;
    if (list != 0) blocks_[list].previous = block;
    list = block;
}

void SpanPool::unlink(std::uint32_t& list, std::uint32_t block) {
    const BlockInfo& info = blocks_[block];
    (info.previous != 0 ? blocks_[info.previous].next : list) = info.next;
    if (info.next != 0) blocks_[info.next].previous = info.previous;
}

}  // namespace perfloc::detail
