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
    /// Each: true when all is done.
    bool clear(Deadline& deadline);
    bool destroy(Deadline& deadline);
    /// There are destructors to look at.
    bool has_cleanups() const;

private:
    bool clear_some(detail::HandleNode& from, detail::HandleNode& to, bool global);
    void destroy_some(Region& region, Deadline& deadline);

    Cycle& cycle_;
    std::size_t region_ = 0;
    bool begun_ = false;
    detail::ChunkList<void*> living_;  // newest first
};

}  // namespace perfloc::gc
