#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "gc/phase.hpp"
#include "gc/roots.hpp"
#include "gc/settle/survey.hpp"

#include <perfloc/scope.hpp>

namespace perfloc::gc {

/// Collects one ended region: what something outside still reaches is settled there, all else is released. The phases run
/// to their ends in the caller, one after the other; each is a function of its own, so that another schedule may drive
/// them.
class ScopeCollection {
public:
    ScopeCollection(HeapCore& heap, MarkBitmap& marks, PhaseOwner& phase)
        : heap_(heap), marks_(marks), phase_(phase), survey_(heap) {}

    /// Memory for its lists, before the first end of a scope: to get some from the system may wait for the collector thread, which is
    /// getting some for the heap. Not for those that destructors need.
    void get_ahead() {
        roots_.reserve(kRootsAhead);
        stack_.reserve(kRootsAhead);
    }

    /// Fills in the report, which says what was allocated.
    void run(Region& ended, Region& enclosing, ScopeReport& report);
    /// However much was made in it: true where it is dealt with, since little survives. Else nothing has happened but a pause.
    bool run_if_few(Region& ended, Region& enclosing, ScopeReport& report);

private:
    void run(Region& ended, Region& enclosing, const detail::Moment& start, ScopeReport& report);
    bool promote_if_small(Region& ended, Region& enclosing, ScopeReport& report);
    void collect(Region& ended, Region& enclosing, const detail::Moment& start, ScopeReport& report);
    void close(Region& ended, ScopeReport& report, PauseCause cause, const detail::Moment& start);
    bool inline_is_possible(const Region& ended, std::uint64_t bytes) const;
    bool room_for_copies(std::uint64_t bytes);
    void promote(Region& ended, ScopeReport& report);
    void mark(Region& ended);
    void clear_weak_handles(Region& ended);
    void destroy(Region& ended);
    void settle(Region& ended, ScopeReport& report);
    void tell_ended(const ScopeReport& report);

    static constexpr std::size_t kRootsAhead = 4096;

    HeapCore& heap_;
    MarkBitmap& marks_;
    PhaseOwner& phase_;
    Survey survey_;
    detail::List<Root> roots_{heap_.chunks};  // kept between collections: no allocation once warm
    detail::List<void*> stack_{heap_.chunks};
    detail::List<Region*> destinations_{heap_.chunks};
    detail::List<void*> dead_{heap_.chunks};
    CollectionResult result_;  // what listeners are told
};

}  // namespace perfloc::gc
