#include "runtime/deduplication.hpp"

#include "runtime/span.hpp"
#include "runtime/span_pool.hpp"

#include <algorithm>
#include <array>

namespace perfloc::detail {

namespace {

/// A step is taken every so many records, and looks at some slots for each, of 10 to 30 ns, or takes or gives so many chunks of
/// 100 to 200 ns. Of more slots, the program would be
/// slower while a pass goes on; of three, a pass whose records are all newer than itself would keep half of the set, and that never shrink.
constexpr std::size_t kRecordsAStep = 16;
constexpr unsigned kSlotsARecord = 4;
constexpr std::size_t kChunksAStep = kRecordsAStep;

}  // namespace

void RememberedSet::grown(Deduplication& deduplication) { deduplication.step(*this); }

void Deduplication::step(RememberedSet& set) {
    if (running()) {
        if (seen_.grow(chunks_, kChunksAStep)) look_at_some();
    } else if (seen_.shrink(chunks_, kChunksAStep) && set.size() >= set.enough_) {
        begin(set);
    }
    // It goes on, or waits for its turn, or gives the table's memory back.
    const bool more = set.size() >= set.enough_ || !seen_.empty();
    set.look_at_ = more ? set.size() + kRecordsAStep : set.enough_;
}

void Deduplication::finish(RememberedSet& set) {
    set.enough_ = 0;
    do {
        step(set);
    } while (set.enough_ == 0);
}

void Deduplication::begin(RememberedSet& set) {
    seen_.plan(chunks_, set.size());
    set_ = &set;
    set.pass_ = ++number_ != 0 ? number_ : ++number_;  // 0: no pass
    start_generation_ = pool_.generation();
    kept_ = 0;
    read_ = write_ = {};
}

/// Repetitions are overwritten by what comes after them; the rest is cut off at the end.
void Deduplication::look_at_some() {
    ChunkList<IncomingSlot>& list = set_->slots_;
    for (unsigned i = 0; i < kSlotsARecord; ++i) {
        // What is asked about them lies anywhere: fetched together, the latencies overlap.
        std::array<IncomingSlot, kRecordsAStep> some;
        std::size_t count = 0;
        while (count < some.size()) {
            const IncomingSlot* const slot = read_.next(list);
            if (slot == nullptr) break;
            pages_.fetch(slot->slot);
            seen_.fetch(slot->slot);
            some[count++] = *slot;
        }
        for (std::size_t j = 0; j < count; ++j) pages_.fetch_span(some[j].slot);
        for (std::size_t j = 0; j < count; ++j) {
            if (!keep(some[j])) continue;
            *write_.next(list) = some[j];
            ++kept_;
        }
        if (count < some.size()) return end();
    }
}

void Deduplication::end() {
    set_->slots_.truncate(chunks_, write_, kept_);
    set_->pass_ = 0;
    set_->enough_ = std::max(set_->least_, 2 * kept_);
    set_ = nullptr;
}

/// law [stale]: a slot whose span was handed out again cannot match any more. One in a span that is newer than the pass is kept
/// without a look: what was seen may be the slot that was there before.
bool Deduplication::keep(const IncomingSlot& slot) {
    if (slot.generation > start_generation_) return true;
    if (pages_.span_at(slot.slot).generation != slot.generation) return false;
    return seen_.insert(slot.slot) != SlotTable::Insert::found;
}

}  // namespace perfloc::detail
