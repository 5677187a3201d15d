#pragma once

#include "gc/cycle/cycle.hpp"

namespace perfloc::gc {

/// The phases clear and destroy: weak handles to the dead read null, and then the destructors of the dead run, newest
/// first in each scope, innermost scopes first. Nothing has moved yet, and nothing is reused: a destructor may read what
/// its object refers to (law [park]).
class Reap {
public:
    explicit Reap(Cycle& cycle) : cycle_(cycle) {}

    void begin();
    /// Each: true when all is done. Where it may not, it goes as far as the first handle to the dead, or the first destructor
    /// to run, and is held up.
    bool clear(Deadline& deadline, bool may_clear);
    bool destroy(Deadline& deadline, bool may_destroy);
    bool held_up() const { return held_up_; }

private:
    bool clear_some(detail::HandleNode& from, detail::HandleNode& to, bool global, bool may_clear);
    void destroy_some(Region& region, Deadline& deadline, bool may_destroy);

    Cycle& cycle_;
    std::size_t region_ = 0;
    bool begun_ = false;
    bool restores_ = false;  // all of the region's dead are destroyed, and the living go back
    bool held_up_ = false;
    std::uint64_t elements_ = 0;       // of the array whose turn it is, that are destroyed
    detail::ChunkList<void*> living_;  // newest first
};

}  // namespace perfloc::gc
