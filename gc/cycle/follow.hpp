#pragma once

#include "gc/cycle/cycle.hpp"
#include "gc/cycle/stamper.hpp"

namespace perfloc::gc {

/// The last phase (protocol P16): slots, handles and destructors go where their objects have gone, each in its turn; then
/// what nothing lives in any more is released, and whoever waited for the regions of the set may end.
class Follow {
public:
    explicit Follow(Cycle& cycle) : cycle_(cycle) {}

    void begin();
    /// True when all is done.
    bool step(Deadline& deadline);

private:
    bool follow_shades(Deadline& deadline);
    void follow_slot(Region& region, const IncomingSlot& incoming);
    bool move_slots(Region& region, Deadline& deadline);
    bool move_handles(Region& region, Deadline& deadline);
    bool move_cleanups(Region& region, Deadline& deadline);
    bool free_open(Region& region, Deadline& deadline);
    bool forget_merged(Region& region, Deadline& deadline);
    void done(Region& region);

    Cycle& cycle_;
    std::size_t region_ = 0, done_ = 0;
    int part_ = 0;
    bool frozen_ = false;
    detail::ChunkList<void*> newest_first_, oldest_first_;  ///< destructors of the living, on their way
    Region* shell_ = nullptr;
    Stamper stamper_;
};

}  // namespace perfloc::gc
