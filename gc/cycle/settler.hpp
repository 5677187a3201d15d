#pragma once

#include "gc/cycle/cycle.hpp"
#include "gc/cycle/stamper.hpp"
#include "gc/policy/slice_policy.hpp"

namespace perfloc::gc {

/// The phases record and settle: each span that something lives in is adopted in place by its destination, or its survivors
/// are evacuated there. Every step's cost is known before it starts: an adoption stamps a span's pages and copies its
/// part of the live map; an evacuation copies the survivors of one span and fixes the slots that were listed for it.
class Settler {
public:
    explicit Settler(Cycle& cycle) : cycle_(cycle) {}

    void begin();
    /// References that will point inward (protocol P14), and slots recorded since for spans to be evacuated. True when done.
    bool record(Deadline& deadline);
    /// Adopts; evacuates only `in_poll`. True when done. `adopt_all`: nothing is to be evacuated any more.
    bool settle(Deadline& deadline, bool in_poll, bool adopt_all);
    /// The next evacuation's cost, at worst; zero where none fits any slice.
    std::chrono::nanoseconds needs() const;
    /// What evacuations are taken to cost, as learned.
    const EvacuationCosts& costs() const { return costs_; }
    /// Spans that wait for a poll.
    bool waits_for_poll() const { return region_ >= cycle_.set.size() && next_candidate_ < cycle_.candidates.size(); }

private:
    bool note_slots(const detail::ChunkList<IncomingSlot>& slots, Deadline& deadline);
    bool adopt_list(Region& region, detail::SpanList& list, Deadline& deadline);
    void adopt(Region& region, std::uint32_t page);
    void adopt_without_holes(Region& region, std::uint32_t page);
    bool may_move() const;
    std::chrono::nanoseconds cost_of(const Candidate& piece) const;
    std::size_t end_of_span(const detail::Span& span) const;
    void adopt_rest();
    void take_out(Region& region, std::uint32_t page);
    void evacuate_piece(Candidate& piece);
    void evacuate(Region& region, detail::Span& span, Candidate& piece);
    void fix(std::atomic<void*>& slot, void* target, const Candidate& moved);
    bool stamped(Region& region, std::uint32_t page, const Deadline& deadline);
    Region& destination_of(Region& region, const detail::Span& span) const;
    /// The span's first page does.
    bool names(std::uint32_t page, const Region& region) const {
        return cycle_.heap.pages.region_at(cycle_.heap.pages.address_of(page)) == region.index;
    }

    Cycle& cycle_;
    std::size_t region_ = 0;
    std::size_t next_candidate_ = 0;
    Stamper stamper_;
    detail::ChunkList<IncomingSlot>::Cursor cursor_;
    bool walked_open_ = false, took_since_ = false, walked_since_ = false;
    EvacuationCosts costs_;
};

}  // namespace perfloc::gc
