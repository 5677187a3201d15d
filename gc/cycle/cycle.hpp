#pragma once

#include "gc/cycle/cycle_phase.hpp"
#include "gc/cycle/page_sets.hpp"
#include "gc/cycle/slot_chunks.hpp"
#include "gc/mark/mark_bitmap.hpp"
#include "runtime/clock.hpp"
#include "runtime/heap_core.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace perfloc::gc {

using detail::HeapCore;
using detail::IncomingSlot;
using detail::Region;

/// Region::root_lineage where roots of several lineages were found: all survivors go to the root scope.
inline constexpr std::uint64_t kSeveralLineages = ~std::uint64_t{0};

/// Handles that are dealt with between two looks at the clock.
inline constexpr int kHandlesAtOnce = 32;

/// What names an object of the set from outside, as it was found: what the object is, and the scope that it goes to.
struct CycleRoot {
    std::atomic<void*>* slot = nullptr;  ///< null: a handle
    std::uint64_t generation = 0;
    void* target = nullptr;
    std::uint32_t region = 0;       ///< the target's
    std::uint32_t destination = 0;  ///< 0: where the region's other survivors go
    std::uint32_t depth = 0;        ///< of the destination
};

/// What marks of one word are for: the least piece of a span that may be evacuated.
inline constexpr std::size_t kGrainBytes = MarkBitmap::kBytesPerMark;
inline constexpr std::uint32_t kGrainsPerPage = detail::kPageBytes / kGrainBytes;

/// A piece of a span that is to be evacuated, small enough to be moved in one slice, and what points into it. An object is in
/// the piece that its header is in. The pieces of a span are in a row.
struct Candidate {
    std::uint64_t grain = 0;       ///< its first, in the heap
    std::uint32_t live_bytes = 0;  ///< of the objects in it
    bool popular = false;          ///< more slots than any slice could fix: the span will be adopted
    detail::ChunkList<IncomingSlot, SlotChunks> slots;
};

/// What one collection did, for reports.
struct CycleTotals {
    std::uint64_t before_bytes = 0;
    std::uint64_t adopted_bytes = 0;
    std::uint64_t evacuated_bytes = 0;
    std::uint64_t destructors = 0;
    std::uint64_t slices = 0;

    /// What was done since `before`.
    CycleTotals operator-(const CycleTotals& before) const {
        return {before_bytes - before.before_bytes, adopted_bytes - before.adopted_bytes,
                evacuated_bytes - before.evacuated_bytes, destructors - before.destructors, slices - before.slices};
    }
};

/// All state of the collection that runs beside the program. Whose turn it is to touch it, the phase says.
struct Cycle {
    explicit Cycle(HeapCore& core) : heap(core), marks(core.memory), phase(core.events) {}

    /// Its regions are open: survivors stay in them.
    bool pressure() const { return heap.collection.pressure; }

    HeapCore& heap;
    MarkBitmap marks;
    bool compact = false;        ///< memory is asked for, or scarce: whatever is sparse is evacuated
    PageSet pages{heap.memory};  ///< of the set: where marking goes
    CyclePhaseOwner phase;
    std::uint32_t number = 0;
    std::uint64_t parked_before = 0;         ///< how many scopes had been parked when it began
    std::uint64_t parked_at_poll = 0;        ///< ... and at the last poll before that
    detail::List<Region*> set{heap.chunks};  ///< innermost first
    detail::List<Region*> destinations{heap.chunks};
    detail::ChunkList<CycleRoot> roots;
    detail::ChunkList<void*> handed;       ///< shades that the mutator has handed over
    detail::ChunkList<IncomingSlot> told;  ///< of open regions: their own slots that were written until marking ended
    detail::List<Candidate> candidates{heap.chunks};
    SlotChunks slot_chunks{heap.chunks};              ///< of their lists
    BlockSet candidate_blocks{heap.memory.blocks()};  ///< that they are in
    std::uint32_t piece_grains = 1;                   ///< of a span to be evacuated, in one go
    std::size_t most_slots = 0;                       ///< that a slice can fix
    detail::ChunkList<IncomingSlot> outward;          ///< protocol P14: references that may point inward later
    CycleTotals totals;

    char* address_of(const Candidate& piece) const { return heap.pages.address_of(0) + piece.grain * kGrainBytes; }
    std::uint32_t pieces_of(const detail::Span& span) const {
        return (span.pages * kGrainsPerPage + piece_grains - 1) / piece_grains;
    }
};

/// The piece that the object is in; null where its span is not to be evacuated.
inline Candidate* candidate_of(Cycle& cycle, const void* object) {
    const detail::PageTable& pages = cycle.heap.pages;
    if (!cycle.candidate_blocks.contains(pages.page_of(object))) return nullptr;
    const std::uint32_t span_page = pages.span_page(object);
    const std::uint32_t first = pages.span(span_page).candidate;
    if (first == 0) return nullptr;
    const auto offset =
        static_cast<std::size_t>(static_cast<const char*>(object) - detail::kHeaderBytes - pages.address_of(span_page));
    return &cycle.candidates[first - 1 + offset / kGrainBytes / cycle.piece_grains];
}

/// A slot that refers to an object in the piece. A field that is written again and again is listed again and again, until its
/// piece is too popular to move.
inline void list_slot(Cycle& cycle, Candidate& piece, const IncomingSlot& slot) {
    if (piece.popular) return;
    piece.slots.push(cycle.slot_chunks, slot);
    if (piece.slots.size() <= cycle.most_slots) return;
    piece.popular = true;
    piece.slots.clear(cycle.slot_chunks);
}
inline void list_slot(Cycle& cycle, const void* target, const IncomingSlot& slot) {
    if (Candidate* const piece = candidate_of(cycle, target)) list_slot(cycle, *piece, slot);
}

/// The same for many slots in a row, whose pieces are anywhere: sixteen at a time, so that the misses overlap.
class SlotLister {
public:
    explicit SlotLister(Cycle& cycle) : cycle_(cycle) {}
    ~SlotLister() { list(); }
    SlotLister(const SlotLister&) = delete;
    SlotLister& operator=(const SlotLister&) = delete;

    void add(const void* target, const IncomingSlot& slot) {
        Candidate* const piece = candidate_of(cycle_, target);
        if (piece == nullptr) return;
        __builtin_prefetch(piece, 1, 3);
        found_[count_++] = {piece, slot};
        if (count_ == found_.size()) list();
    }

private:
    struct Found {
        Candidate* piece;
        IncomingSlot slot;
    };
    void list() {
        for (std::size_t i = 0; i < count_; ++i) found_[i].piece->slots.fetch_last();
        for (std::size_t i = 0; i < count_; ++i) found_[i].piece->slots.fetch_place();
        for (std::size_t i = 0; i < count_; ++i) list_slot(cycle_, *found_[i].piece, found_[i].slot);
        count_ = 0;
    }

    Cycle& cycle_;
    std::array<Found, 16> found_;
    std::size_t count_ = 0;
};

/// When a slice must end. Asking costs a reading of the clock every few times.
class Deadline {
public:
    explicit Deadline(std::uint64_t ticks) : ticks_(ticks) {}
    static Deadline never() { return Deadline(UINT64_MAX); }
    static Deadline in(std::chrono::nanoseconds time) {
        constexpr std::chrono::hours most{24 * 365};  // as ticks, more might be no number
        return Deadline(detail::TickClock::now() +
                        detail::TickClock::ticks(std::min<std::chrono::nanoseconds>(time, most)));
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
    bool is_never() const { return ticks_ == UINT64_MAX; }

private:
    std::uint64_t ticks_;
    unsigned pieces_ = 0;
    std::chrono::nanoseconds once_{0};
};

}  // namespace perfloc::gc
