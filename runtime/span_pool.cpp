#include "runtime/span_pool.hpp"

#include "runtime/event_bus.hpp"
#include "runtime/page_runs.hpp"
#include "runtime/poison.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace perfloc::detail {

namespace {

constexpr int kPagedBlocksTried = 16;  // then a fresh block is cut, so that taking a run is O(1)

}  // namespace

SpanPool::SpanPool(Memory& memory, PageTable& pages, RegionTable& regions, Limits limits)
    : memory_(memory),
      pages_(pages),
      regions_(regions),
      blocks_(reinterpret_cast<BlockInfo*>(memory.area(Area::blocks))),
      limits_(limits) {}

// --- handing out -----------------------------------------------------------------------------------------------------

std::uint32_t SpanPool::take(Region& region, std::uint32_t pages, SpanKind kind) {
    const std::uint32_t page = pages == kPagesPerBlock ? take_block() : take_run(pages, true);
    if (page != 0) hand_out(region, page, pages, kind);
    return page;
}

std::uint32_t SpanPool::take_large(Region& region, std::size_t bytes) {
    const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes;
    std::uint32_t page = 0;
    if (pages < kPagesPerBlock) {
        page = take_run(static_cast<std::uint32_t>(pages), false);
    } else {
        page = take_blocks((pages + kPagesPerBlock - 1) / kPagesPerBlock);
        const auto rest = static_cast<unsigned>(pages % kPagesPerBlock);
        if (page != 0 && rest != 0) {  // what the last block has left is used for runs
            const std::uint32_t last = block_of(page + static_cast<std::uint32_t>(pages));
            claim(last, BlockState::paged);
            blocks_[last].free_pages = ~run_mask(0, rest);
            pages_.stamp_region(first_page(last) + rest, static_cast<std::uint32_t>(kPagesPerBlock) - rest, kNoRegion);
            list_paged(last);
        }
    }
    if (page != 0) hand_out(region, page, static_cast<std::uint32_t>(pages), SpanKind::large);
    return page;
}

void SpanPool::hand_out(Region& region, std::uint32_t page, std::uint32_t pages, SpanKind kind) {
    pages_.stamp_region(page, pages, region.index);
    BlockInfo& block = blocks_[block_of(page)];
    if (!block.stamped_whole || pages != kPagesPerBlock) {
        pages_.stamp_span(page, pages);
        block.stamped_whole = pages == kPagesPerBlock;
    }
    Span& span = pages_.span(page);
    span = Span{};
    span.generation = ++generation_;  // law [stale]: it changes here, where the span is handed out
    span.pages = pages;
    span.kind = kind;
    pages_.append(kind == SpanKind::large ? region.large : pages == kPagesPerBlock ? region.blocks : region.runs, page);
    region.pages += pages;
    used_pages_ += pages;
    unpoison(pages_.address_of(page), std::size_t{pages} * kPageBytes);
}

std::uint32_t SpanPool::take_block() {
    while (released_ != nullptr) {  // the memory that was used last
        Region& region = *released_;
        if (!region.blocks.empty()) {
            const std::uint32_t page = pages_.pop(region.blocks);
            if (region.spans() == 0) dissolve_one();
            return page;
        }
        dissolve_one();
        if (free_resident_ != 0) break;
    }
    for (std::uint32_t* list : {&free_resident_, &free_returned_}) {
        const std::uint32_t block = *list;
        if (block == 0) continue;
        if (!blocks_[block].resident && committed_bytes() + kBlockBytes > limits_.hard) continue;
        claim(block, BlockState::whole);
        return first_page(block);
    }
    const std::uint32_t block = frontier_blocks(1);
    if (block != 0) {
        claim(block, BlockState::whole);
        return first_page(block);
    }
    // At the limit: what stress modes hold back comes before a refusal.
    if (quarantine_first_ != nullptr) {
        const std::size_t cap = std::exchange(limits_.quarantine, 0);
        consolidate();
        limits_.quarantine = cap;
        return take_block();
    }
    return 0;
}

std::uint32_t SpanPool::take_run(std::uint32_t pages, bool aligned) {
    int tried = 0;
    for (std::uint32_t block = paged_; block != 0 && tried < kPagedBlocksTried; block = blocks_[block].next, ++tried) {
        BlockInfo& info = blocks_[block];
        std::uint64_t starts = run_starts(info.free_pages, pages);
        if (aligned) starts &= aligned_starts(pages);
        if (starts == 0) continue;
        const auto first = static_cast<unsigned>(std::countr_zero(starts));
        info.free_pages &= ~run_mask(first, pages);
        if (info.free_pages == 0) unlist_paged(block);
        return first_page(block) + first;
    }
    const std::uint32_t page = take_block();
    if (page == 0) return 0;
    const std::uint32_t block = block_of(page);
    BlockInfo& info = blocks_[block];
    info.state = BlockState::paged;
    info.stamped_whole = false;
    info.free_pages = ~run_mask(0, pages);
    pages_.stamp_region(page, kPagesPerBlock, kNoRegion);
    list_paged(block);
    return page;
}

std::uint32_t SpanPool::take_blocks(std::size_t count) {
    std::uint32_t block = find_free_blocks(count);
    if (block == 0 && released_ != nullptr && free_blocks_ < count) {
        consolidate();
        block = find_free_blocks(count);
    }
    if (block == 0) block = frontier_blocks(count);
    if (block == 0) {  // what stress modes hold back comes before a refusal
        const std::size_t cap = std::exchange(limits_.quarantine, 0);
        consolidate();
        limits_.quarantine = cap;
        block = find_free_blocks(count);
    }
    if (block == 0 && make_room(count * kBlockBytes)) {
        block = frontier_blocks(count);
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

std::uint32_t SpanPool::frontier_blocks(std::size_t count) {
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
        --free_blocks_;
        if (!info.resident) --returned_blocks_;
    }
    if (!info.resident) {
        info.resident = true;
        ++committed_blocks_;
        peak_blocks_ = std::max(peak_blocks_, committed_blocks_);
    }
    if (state != BlockState::whole) info.stamped_whole = false;
    info.state = state;
}

// --- taking back -----------------------------------------------------------------------------------------------------

void SpanPool::release(Region& region) {
    used_pages_ -= region.pages;
    regions_.close(region, RegionState::pooled);
    if (region.spans() == 0) {
        region.pages = 0;
        regions_.recycle(region);
        return;
    }
    for (Region* merged = region.absorbed; merged != nullptr; merged = merged->next) {
        regions_.close(*merged, RegionState::pooled);
        regions_.record(*merged).alias = 0;
    }
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
    region.next = released_;
    released_ = &region;
}

void SpanPool::release_span(Region& region, std::uint32_t page) {
    const Span& span = pages_.span(page);
    region.pages -= span.pages;
    used_pages_ -= span.pages;
    poison(pages_.address_of(page), std::size_t{span.pages} * kPageBytes);
    return_pages(page, span.pages);
}

bool SpanPool::dissolve_one() {
    if (released_ == nullptr) return false;
    Region& region = *released_;
    for (SpanList* list : {&region.runs, &region.large, &region.blocks}) {
        if (list->empty()) continue;
        const std::uint32_t page = pages_.pop(*list);
        return_pages(page, pages_.span(page).pages);
        break;
    }
    if (region.spans() == 0) {
        released_ = region.next;
        region.pages = 0;
        regions_.recycle(region);  // no page names it any more, nor what was merged into it
    }
    return true;
}

void SpanPool::consolidate() {
    while (quarantine_first_ != nullptr && limits_.quarantine == 0) {
        Region& oldest = *quarantine_first_;
        quarantine_first_ = oldest.next;
        push_released(oldest);
        if (quarantine_first_ == nullptr) quarantine_last_ = nullptr, quarantined_pages_ = 0;
    }
    while (dissolve_one()) {
    }
}

void SpanPool::return_pages(std::uint32_t page, std::uint32_t pages) {
    pages_.stamp_region(page, pages, kNoRegion);
    while (pages > 0) {
        const std::uint32_t block = block_of(page);
        const std::uint32_t here = std::min(pages, static_cast<std::uint32_t>(kPagesPerBlock - page % kPagesPerBlock));
        if (blocks_[block].state == BlockState::paged) {
            return_run(page, here);
        } else {
            return_block(block);
        }
        page += here;
        pages -= here;
    }
}

void SpanPool::return_run(std::uint32_t page, std::uint32_t pages) {
    const std::uint32_t block = block_of(page);
    BlockInfo& info = blocks_[block];
    info.free_pages |= run_mask(page % kPagesPerBlock, pages);
    if (info.free_pages == ~std::uint64_t{0}) {
        unlist_paged(block);
        return_block(block);
    } else {
        list_paged(block);
    }
}

void SpanPool::return_block(std::uint32_t block) {
    BlockInfo& info = blocks_[block];
    info.state = BlockState::free;
    link(info.resident ? free_resident_ : free_returned_, block);
    ++free_blocks_;
}

void SpanPool::prefault(std::size_t bytes) {
    for (std::size_t touched = 0; touched < bytes; touched += kBlockBytes) {
        const std::uint32_t block = frontier_blocks(1);
        if (block == 0) return;
        claim(block, BlockState::whole);
        char* const start = pages_.address_of(first_page(block));
        for (std::size_t at = 0; at < kBlockBytes; at += kPageBytes) static_cast<volatile char*>(start)[at] = 0;
        return_block(block);
    }
}

void SpanPool::prepare(std::size_t bytes) {
    std::uint32_t taken = 0;  // a list, by BlockInfo::next
    for (std::size_t have = 0; have < bytes; have += kBlockBytes) {
        const std::uint32_t page = take_block();
        if (page == 0) break;
        char* const start = pages_.address_of(page);
        unpoison(start, kBlockBytes);
        for (std::size_t at = 0; at < kBlockBytes; at += kPageBytes) static_cast<volatile char*>(start)[at] = 0;
        blocks_[block_of(page)].next = taken;
        taken = block_of(page);
    }
    while (taken != 0) {
        const std::uint32_t block = taken;
        taken = blocks_[block].next;
        pages_.stamp_region(first_page(block), kPagesPerBlock, kNoRegion);
        return_block(block);
    }
}

bool SpanPool::make_room(std::size_t bytes) {
    if (bytes > limits_.hard) return false;
    const std::uint64_t before = give_backs_;
    const Moment start = events_ != nullptr ? events_->now() : Moment{};
    while (committed_bytes() + bytes > limits_.hard && free_resident_ != 0) {
        const std::uint32_t block = free_resident_;
        unlink(free_resident_, block);
        blocks_[block].resident = false;
        ++returned_blocks_;
        --committed_blocks_;
        ++give_backs_;
        memory_.give_back(pages_.address_of(first_page(block)), kBlockBytes);
        link(free_returned_, block);
    }
    if (events_ != nullptr && give_backs_ != before) {
        events_->memory(MemoryEvent::Change::returned, (give_backs_ - before) * kBlockBytes, start);
    }
    return committed_bytes() + bytes <= limits_.hard;
}

bool SpanPool::has_room(std::size_t bytes) {
    const std::size_t blocks = bytes / kBlockBytes + 2;
    const auto available = [this] {
        const std::size_t allowed = (limits_.hard - std::min(limits_.hard, committed_bytes())) / kBlockBytes;
        return free_blocks_ - returned_blocks_ + std::min(returned_blocks_ + memory_.blocks() - frontier_, allowed);
    };
    if (available() < blocks) consolidate();
    // Where memory is committed in steps the system may refuse the next one: better now than in the middle.
    return available() >= blocks && memory_.commit_blocks(std::min(frontier_ + blocks, memory_.blocks()));
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
