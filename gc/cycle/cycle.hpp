#pragma once

#include "gc/cycle/cycle_phase.hpp"
#include "gc/mark/mark_bitmap.hpp"
#include "runtime/clock.hpp"
#include "runtime/heap_core.hpp"

#include <cstdint>
#include <vector>

namespace perfloc::gc {

using detail::HeapCore;
using detail::IncomingSlot;
using detail::Region;

/// Region::root_lineage where roots of several lineages were found: all survivors go to the root scope.
inline constexpr std::uint64_t kSeveralLineages = ~std::uint64_t{0};

/// What names an object of the set from outside, as it was found: what the object is, and the scope that it goes to.
struct CycleRoot {
    std::atomic<void*>* slot = nullptr;  ///< null: a handle
    std::uint64_t generation = 0;
    void* target = nullptr;
    std::uint32_t region = 0;       ///< the target's
    std::uint32_t destination = 0;  ///< 0: where the region's other survivors go
    std::uint32_t depth = 0;        ///< of the destination
};

/// A piece of a span that is to be evacuated, small enough to be moved in one slice, and what points into it. An object is in
/// the piece that its header is in. The pieces of a span are in a row.
struct Candidate {
    std::uint32_t page = 0;        ///< its first
    std::uint32_t live_bytes = 0;  ///< of the objects in it
    bool popular = false;          ///< more slots than any slice could fix: the span will be adopted
    detail::ChunkList<IncomingSlot> slots;
};

/// What one collection did, for reports.
struct CycleTotals {
    std::uint64_t before_bytes = 0;
    std::uint64_t adopted_bytes = 0;
    std::uint64_t evacuated_bytes = 0;
    std::uint64_t destructors = 0;
    std::uint64_t slices = 0;
};

/// All state of the collection that runs beside the program. Whose turn it is to touch it, the phase says.
struct Cycle {
    explicit Cycle(HeapCore& core) : heap(core), marks(core.memory), phase(core.events) {}

    /// Its regions are open: survivors stay in them.
    bool pressure() const { return heap.collection.pressure; }

    HeapCore& heap;
    MarkBitmap marks;
    CyclePhaseOwner phase;
    std::uint32_t number = 0;
    std::uint64_t parked_before = 0;  ///< how many scopes had been parked when it began
    std::vector<Region*> set;         ///< innermost first
    std::vector<Region*> destinations;
    detail::ChunkList<CycleRoot> roots;
    detail::ChunkList<void*> handed;       ///< shades that the mutator has handed over
    detail::ChunkList<IncomingSlot> told;  ///< of open regions: their own slots that were written until marking ended
    std::vector<Candidate> candidates;
    std::uint32_t piece_pages = 1;            ///< of a span to be evacuated, in one go
    std::size_t most_slots = 0;               ///< that a slice can fix
    detail::ChunkList<IncomingSlot> outward;  ///< protocol P14: references that may point inward later
    CycleTotals totals;
};

/// The piece that the object is in; null where its span is not to be evacuated.
inline Candidate* candidate_of(Cycle& cycle, const void* object) {
    const detail::PageTable& pages = cycle.heap.pages;
    const std::uint32_t span_page = pages.span_page(object);
    const std::uint32_t first = pages.span(span_page).candidate;
    if (first == 0) return nullptr;
    const std::uint32_t page = pages.page_of(static_cast<const char*>(object) - detail::kHeaderBytes);
    return &cycle.candidates[first - 1 + (page - span_page) / cycle.piece_pages];
}

/// A slot that refers to an object in a span that is to be evacuated. A field that is written again and again is listed again
/// and again, until its piece is too popular to move.
inline void list_slot(Cycle& cycle, const void* target, const IncomingSlot& slot) {
    Candidate* const listed = candidate_of(cycle, target);
    if (listed == nullptr || listed->popular) return;
    listed->slots.push(cycle.heap.chunks, slot);
    if (listed->slots.size() <= cycle.most_slots) return;
    listed->popular = true;
    listed->slots.clear(cycle.heap.chunks);
}

/// When a slice must end. Asking costs a reading of the clock every few times.
class Deadline {
public:
    explicit Deadline(std::uint64_t ticks) : ticks_(ticks) {}
    static Deadline never() { return Deadline(UINT64_MAX); }
    static Deadline in(std::chrono::nanoseconds time) {
        return Deadline(detail::TickClock::now() + detail::TickClock::ticks(time));
    }
    /// For tests: whatever needs no longer than that may begin, and ends the slice.
    static Deadline once(std::chrono::nanoseconds time) {
        Deadline deadline(0);
        deadline.once_ = time;
        return deadline;
    }
    /// After a small piece of work (tens of nanoseconds).
    bool passed() { return ++pieces_ % 4 == 0 && passed_now(); }
    /// After a larger one.
    bool passed_now() const { return ticks_ != UINT64_MAX && detail::TickClock::now() >= ticks_; }
    std::chrono::nanoseconds left() const {
        if (once_.count() != 0) return once_;
        if (ticks_ == UINT64_MAX) return std::chrono::hours(1);
        const std::uint64_t now = detail::TickClock::now();
        return now >= ticks_ ? std::chrono::nanoseconds(0) : detail::TickClock::duration(ticks_ - now);
    }
    std::uint64_t ticks() const { return ticks_; }

private:
    std::uint64_t ticks_;
    unsigned pieces_ = 0;
    std::chrono::nanoseconds once_{0};
};

}  // namespace perfloc::gc
