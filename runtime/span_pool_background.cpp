#include "runtime/span_pool.hpp"

#include <algorithm>

/// The pool's part for the thread that keeps memory ahead of the program and gives it back.
namespace perfloc::detail {

namespace {

constexpr std::uint32_t kBlocksLookedAt = 256;  // in one call of begin_return: some microseconds at most

/// The clock wraps: an age is a distance.
std::uint32_t age(std::uint32_t now, std::uint32_t since) { return now - since; }

}  // namespace

/// The one whose oldest region is so old.
SpanPool::Released* SpanPool::idle_stack(std::uint32_t least_age) {
    for (Released* const stack : {&crumbs_, &released_}) {
        if (!stack->empty() && age(clock_, stack->oldest->released_at) >= least_age) return stack;
    }
    return nullptr;
}

bool SpanPool::dissolve_idle(std::uint32_t least_age, std::uint32_t most_pages) {
    Region* done = nullptr;
    {
        const Guard guard(lock_);
        Released* const stack = idle_stack(least_age);
        if (stack == nullptr) return false;
        Region& region = *stack->oldest;
        while (most_pages > 0 && region.spans() != 0) {
            SpanList& list = !region.runs.empty() ? region.runs : !region.large.empty() ? region.large : region.blocks;
            Span& span = pages_.span(list.head);
            // A large one goes from its end, whole blocks at a time.
            const std::uint32_t kept = span.pages - std::min(span.pages, most_pages);
            const auto rest = static_cast<std::uint32_t>(kept / kPagesPerBlock * kPagesPerBlock);
            const std::uint32_t page = list.head + rest;
            const std::uint32_t pages = span.pages - rest;
            span.pages = pages;  // of what goes
            if (rest == 0) {
                pop_released(region, list);
            } else {
                region.pages -= pages;
                span.pages = rest;
            }
            return_pages(page, pages, region.released_at);
            most_pages -= std::min(pages, most_pages);
        }
        if (region.spans() == 0) {
            stack->unlink(region);
            ++busy_;  // relaxed would do: it is read with the lock held
            done = &region;
        }
    }
    if (done != nullptr) {  // without the lock: any number of regions may have been merged into it
        regions_.recycle(*done);
        const Guard guard(lock_);
        --busy_;
    }
    return true;
}

BlockRun SpanPool::begin_ahead(std::size_t most) {
    const Guard guard(lock_);
    most = std::min(most, (limits_.hard - std::min(limits_.hard, committed_bytes())) / kBlockBytes);
    if (most == 0) return {};
    const auto without_memory = [this](std::uint32_t block) {
        return block != 0 && block < frontier_ && blocks_[block].state == BlockState::free && !blocks_[block].resident;
    };
    BlockRun run{free_returned_, 1};
    if (run.first != 0) {
        while (run.count < most && without_memory(run.first + run.count)) ++run.count;
        while (run.count < most && without_memory(run.first - 1)) --run.first, ++run.count;
    } else {
        run.first = frontier_;
        const std::size_t end = std::min(memory_.accessible_blocks(), memory_.blocks());
        run.count = static_cast<std::uint32_t>(std::min(most, end - std::min<std::size_t>(end, run.first)));
        if (run.empty()) return {};
        frontier_ += run.count;
    }
    for (std::uint32_t i = 0; i < run.count; ++i) claim(run.first + i, BlockState::busy);
    ++busy_;
    return run;
}

void SpanPool::end_ahead(BlockRun run, bool backed) {
    const Guard guard(lock_);
    for (std::uint32_t block = run.first + run.count; block-- > run.first;) {  // so that the lowest is taken first
        if (backed) {
            blocks_[block].ahead = true;
            return_block(block, clock_);
        } else {
            return_without_memory(block);
        }
    }
    if (backed) prefaulted_blocks_ += run.count;
    --busy_;
}

bool SpanPool::is_idle(std::uint32_t block, std::uint32_t least_age) const {
    const BlockInfo& info = blocks_[block];
    return info.state == BlockState::free && info.resident && age(clock_, info.idle_since) >= least_age;
}

BlockRun SpanPool::begin_return(std::uint32_t least_age, std::size_t most, bool& end_of_pass) {
    const Guard guard(lock_);
    std::uint32_t block = scan_ == 0 ? std::uint32_t{frontier_} : scan_;
    const std::uint32_t stop = block - std::min(block - 1, kBlocksLookedAt);
    BlockRun run;
    while (block > stop && run.empty()) {
        --block;
        if (is_idle(block, least_age)) run = {block, 1};
    }
    while (!run.empty() && run.count < most && run.first > 1 && is_idle(run.first - 1, least_age)) {
        --run.first, ++run.count;
    }
    for (std::uint32_t i = 0; i < run.count; ++i) claim(run.first + i, BlockState::busy);
    if (!run.empty()) {
        ++busy_;
        block = run.first;
    }
    end_of_pass = block <= 1;
    scan_ = end_of_pass ? 0 : block;
    return run;
}

void SpanPool::end_return(BlockRun run, bool returned) {
    const Guard guard(lock_);
    for (std::uint32_t block = run.first + run.count; block-- > run.first;) {
        if (returned) {
            return_without_memory(block);
        } else {
            return_block(block, clock_);
        }
    }
    if (returned) give_backs_ += run.count;
    --busy_;
}

}  // namespace perfloc::detail
