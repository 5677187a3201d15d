#include "runtime/event_bus.hpp"
#include "runtime/span_pool.hpp"

#include <algorithm>

/// Whether there is room, and making some: before it is needed, and at the limit.
namespace perfloc::detail {

namespace {

/// Backs a block's pages.
void touch(char* block) {
    for (std::size_t at = 0; at < kBlockBytes; at += kPageBytes) static_cast<volatile char*>(block)[at] = 0;
}

}  // namespace

std::size_t SpanPool::prefault(std::size_t bytes) {
    const Guard guard(lock_);
    std::size_t touched = 0;
    for (; touched < bytes; touched += kBlockBytes) {
        const std::uint32_t block = fresh_blocks(1);
        if (block == 0) break;
        claim(block, BlockState::whole);
        touch(pages_.address_of(first_page(block)));
        return_block(block, clock_);
    }
    return touched;
}

bool SpanPool::prepare(std::size_t bytes) {
    Region* const held = regions_.create(RegionTable::kOwnLineage, nullptr);
    if (held == nullptr) return false;
    std::size_t have = 0;
    for (; have < bytes; have += kBlockBytes) {
        const std::uint32_t page = take(*held, kPagesPerBlock, SpanKind::movable);
        if (page == 0) break;
        touch(pages_.address_of(page));
    }
    release(*held);  // what was released last is handed out first
    return have >= bytes;
}

bool SpanPool::make_room(std::size_t bytes) {
    Guard guard(lock_);
    bool room = false;
    do {
        room = make_room_now(bytes);
    } while (!room && wait_for_busy(guard));
    return room;
}

bool SpanPool::make_room_now(std::size_t bytes) {
    if (bytes > limits_.hard) return false;
    const std::uint64_t before = give_backs_;
    const Moment start = events_ != nullptr ? events_->now() : Moment{};
    while (committed_bytes() + bytes > limits_.hard && free_resident_ != 0) {
        const std::uint32_t block = free_resident_;
        if (!memory_.give_back(pages_.address_of(first_page(block)), kBlockBytes)) return false;
        claim(block, BlockState::busy);
        return_without_memory(block);
        give_backs_ += 1;
    }
    if (events_ != nullptr && give_backs_ != before) {
        events_->memory(MemoryEvent::Change::returned, (give_backs_ - before) * kBlockBytes, start);
    }
    return committed_bytes() + bytes <= limits_.hard;
}

void SpanPool::return_without_memory(std::uint32_t block) {
    blocks_[block].resident = false;
    blocks_[block].ahead = false;
    committed_blocks_ -= 1;
    return_block(block, clock_);
}

std::size_t SpanPool::available_blocks() const {
    const std::size_t allowed = (limits_.hard - std::min(limits_.hard, committed_bytes())) / kBlockBytes;
    return free_blocks_ - returned_blocks_ + std::min(returned_blocks_ + memory_.blocks() - frontier_, allowed);
}

bool SpanPool::has_room(std::size_t bytes) {
    const std::size_t blocks = bytes / kBlockBytes + 2;
    Guard guard(lock_);
    do {
        while (available_blocks() < blocks && dissolve_one()) {
        }
    } while (available_blocks() < blocks && wait_for_busy(guard));
    if (available_blocks() < blocks) return false;
    guard.unlock();
    // Where memory is committed in steps the system may refuse the next one: better now than in the middle.
    return memory_.commit_blocks(std::min(frontier_ + blocks, memory_.blocks()));
}

}  // namespace perfloc::detail
