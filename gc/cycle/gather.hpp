#pragma once

#include "gc/cycle/cycle.hpp"

namespace perfloc::gc {

/// The first phase: what names an object of the set from outside (protocol P7). Walks the slots that were recorded before
/// the collection began, and the handles, in steps. What is recorded, linked or dropped meanwhile is shaded, so that
/// slots and handles may die before they are walked: the collector needs to look at nothing outside the set.
class Gather {
public:
    explicit Gather(Cycle& cycle) : cycle_(cycle) {}

    void begin();
    /// True when all is walked.
    bool step(Deadline& deadline);

private:
    bool walk(Region& region, Deadline& deadline);
    bool walk_slots(Region& region, Deadline& deadline);
    bool visit_slot(Region& region, const detail::IncomingSlot& incoming);
    void visit_handle(Region& region, void* target, bool global);
    Region& destination_for(Region& owner, Region& region);
    void add(Region& region, const CycleRoot& root, Region& destination);
    void end_region(Region& region);

    Cycle& cycle_;
    std::size_t region_ = 0;
    bool slots_walked_ = false;  // of this region
    std::size_t kept_ = 0;       // of its slots, so far
    detail::ChunkList<detail::IncomingSlot>::Cursor read_, write_;
};

}  // namespace perfloc::gc
