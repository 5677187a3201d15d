#pragma once

#include "gc/compact/forwarding.hpp"
#include "gc/compact/plan.hpp"

#include <cstdint>

namespace perfloc::gc {

/// The last phase of a full collection: spans without survivors are freed, dense ones stay, the others slide together
/// inside their regions; every reference, slot, handle and cleanup follows. Marks and live bytes are valid.
class Compactor {
public:
    /// `move_all`: everything that may move does, into fresh spans (stress), where memory allows.
    Compactor(HeapCore& heap, MarkBitmap& marks, detail::List<Region*>& regions, bool move_all)
        : heap_(heap),
          marks_(marks),
          forwarding_(heap.memory, marks, heap.chunks),
          regions_(regions),
          move_all_(move_all) {}

    void run();

    std::uint64_t slid() const { return slid_; }
    std::uint64_t stayed() const { return stayed_; }

private:
    void free_empty(Region& region);
    void choose(Region& region);
    bool worth_it();
    void filter_slots(Region& region);
    void move_cleanups(Region& region);
    void move_handles(Region& region);
    void move_objects();
    void finish(SlidePlan& plan);
    void free_holes(Region& region);
    void settle_accounts(Region& region);

    HeapCore& heap_;
    MarkBitmap& marks_;
    ForwardingTable forwarding_;
    detail::List<Region*>& regions_;
    bool move_all_;
    detail::List<SlidePlan> plans_{heap_.chunks};
    std::uint64_t slid_ = 0;
    std::uint64_t stayed_ = 0;
};

}  // namespace perfloc::gc
