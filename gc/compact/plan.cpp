#include "gc/compact/plan.hpp"

#include "runtime/check.hpp"
#include "runtime/type_table.hpp"

#include <bit>

namespace perfloc::gc {

namespace {

std::uint64_t count(std::uint64_t bits) { return static_cast<std::uint64_t>(std::popcount(bits)); }

}  // namespace

void SlidePlanner::next_destination(SlidePlan& plan) {
    if (start_ != 0) plan.tops.push_back(to_ - start_);
    if (plan.fresh && plan.tops.size() == plan.destinations.size()) {
        const std::uint32_t page = heap_.pool.take(*plan.region, detail::kPagesPerBlock, detail::SpanKind::movable);
        PERFLOC_CHECK(page != 0, "internal: a move runs out of the room that it was promised");
        plan.destinations.push_back(page);
    }
    const std::uint32_t page = plan.destinations[plan.tops.size()];
    start_ = to_ = reinterpret_cast<std::uint64_t>(heap_.pages.address_of(page));
    limit_ = start_ + std::size_t{heap_.pages.span(page).pages} * detail::kPageBytes;
}

/// The destination has room up to somewhere behind `safe`. Walks objects from there, and returns the last start of 512
/// bytes at which everything before fits.
SlidePlanner::Cut SlidePlanner::find_cut(const Cut& safe, std::size_t span_end) const {
    const detail::TypeShape* const shapes = detail::type_shapes();
    const char* const heap_base = heap_.memory.base();
    Cut best = safe;
    std::uint64_t to = safe.to;
    std::size_t in_word = safe.mark_word;
    std::size_t at = safe.mark_word * 64;  // in words of the heap
    std::uint64_t skip = safe.tail;
    while (at < span_end) {
        const std::uint64_t rest = marks_.bits()[at / 64] >> (at % 64);
        if (rest == 0) {
            at = (at / 64 + 1) * 64;
            continue;
        }
        at += static_cast<std::size_t>(std::countr_zero(rest));
        if (skip != 0) {  // the end of an object that starts before
            at += skip;
            skip = 0;
            continue;
        }
        if (at / 64 != in_word) {
            if (to > limit_) break;
            in_word = at / 64;
            best = {in_word, count(marks_.bits()[in_word] & ((std::uint64_t{1} << (at % 64)) - 1)), to};
        }
        const detail::Header header = *reinterpret_cast<const detail::Header*>(heap_base + at * kWordBytes);
        const std::size_t bytes = detail::object_bytes(header, shapes);
        to += bytes;
        at += bytes / kWordBytes;
    }
    return best;
}

void SlidePlanner::plan(SlidePlan& plan) {
    start_ = 0;
    next_destination(plan);
    for (const std::uint32_t page : plan.spans) {
        const detail::Span& span = heap_.pages.span(page);
        const std::size_t first = marks_.index_of(heap_.pages.address_of(page)) / 64;
        const std::size_t end = first + (span.top_bytes + MarkBitmap::kBytesPerMark - 1) / MarkBitmap::kBytesPerMark;
        Cut safe{first, 0, to_};
        for (std::size_t word = first; word < end; ++word) {
            const std::uint64_t bits = marks_.bits()[word];
            // No object straddles into this word where the last bit before it, or its first bit, is clear.
            if (word > safe.mark_word && ((marks_.bits()[word - 1] >> 63) == 0 || (bits & 1) == 0))
                safe = {word, 0, to_};
            if (bits == 0) {
                forwarding_.base(word) = 0;
                continue;
            }
            forwarding_.base(word) = to_;
            to_ += count(bits) * kWordBytes;
            if (to_ <= limit_) continue;
            // Full: objects from the cut on go to the next destination; what straddles the cut stays with its start.
            const Cut cut = find_cut(safe, end * 64);
            to_ = cut.to;
            const std::uint64_t tail_to = cut.to - cut.tail * kWordBytes;
            next_destination(plan);
            forwarding_.add_split(cut.mark_word, cut.tail, tail_to);
            to_ -= cut.tail * kWordBytes;  // so that the words of the tail count, and are looked up in the split
            safe = {cut.mark_word, cut.tail, start_};
            word = cut.mark_word;
            forwarding_.base(word) = to_;
            to_ += count(marks_.bits()[word]) * kWordBytes;
            PERFLOC_ASSERT(to_ <= limit_);
        }
    }
    plan.tops.push_back(to_ - start_);
    forwarding_.sort_splits();
}

}  // namespace perfloc::gc
