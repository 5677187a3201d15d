#pragma once

#include "gc/cycle/cycle.hpp"
#include "gc/cycle/driver.hpp"
#include "gc/cycle/follow.hpp"
#include "gc/cycle/gather.hpp"
#include "gc/cycle/reap.hpp"
#include "gc/cycle/settler.hpp"

#include <deque>
#include <optional>

namespace perfloc::gc {

/// What a slice may do.
struct Slice {
    Deadline deadline;
    bool in_poll = false;     ///< raw pointers have ended: objects of open scopes may move
    bool may_clear = true;    ///< weak handles may be cleared
    bool may_destroy = true;  ///< destructors may run
    bool tells_end = true;    ///< else the slice ends with its collection, and tell_end() is for who gives it
    bool adopt_all = false;   ///< nothing is evacuated: the collection is to end soon
};

/// Collections beside the program: begins them, and runs the mutator's phases in slices. One at a time; ended regions that
/// come meanwhile wait for the next (protocol P2).
class Engine {
public:
    Engine(HeapCore& heap, bool wants_thread);

    /// The ended region is to be collected: O(1). Its cursors must be stored.
    void condemn(Region& ended, Region& enclosing);
    /// Begins a collection of `outermost`, which is open, with all that it encloses: also what has ended in it, and waits. In a
    /// poll, while none goes on.
    void begin_pressure(Region& outermost, CollectionReason reason);
    /// The collection of open scopes may come to this one yet: it does so now, since its memory is to change.
    void freeze_early(Region& region);
    /// What waits does not begin by itself, until this is taken back or everything is ended.
    void hold(bool waiting) { hold_ = waiting; }
    /// Something waits that was looked at with open scopes.
    bool owes() const { return owed_ != 0; }

    /// A poll: raw pointers end here.
    void poll();
    /// One slice. True when nothing is left that it could do now.
    bool slice(Slice slice);
    /// Gives back so many of the parked scopes: where nothing may look at them any more. False where there is none.
    bool release_parked(std::size_t most);
    /// For tests: one piece of work, be the time as short as it likes. False when nothing could be done.
    bool step(bool in_poll);
    /// O(1): hands shades over where the collector waits for that (protocol P10: as the caller's last action).
    void answer();
    /// Ends all collections, however long that takes; false where destructors would have to run and may not.
    bool finish(bool may_destroy, bool in_poll);

    /// The time that the next piece of work needs at least, in one go.
    std::chrono::nanoseconds needs() const {
        return phase() == CyclePhase::settle ? settler_.needs() : std::chrono::nanoseconds(0);
    }

    /// Listeners hear that the collection has ended: after the slice that ended it. False where none has.
    bool tell_end();
    /// In a poll, after a collection has ended: the next one begins, also of what may begin in a poll only.
    void begin_next();

    /// What an allocation gave a slice to last has come to a weak handle to clear or a destructor to run.
    bool held_up() const { return (phase() == CyclePhase::clear || phase() == CyclePhase::destroy) && reap_.held_up(); }
    /// None of what waits may begin before the next poll.
    bool none_ready() const { return none_ready_; }

    /// All that is left moves objects.
    bool waits_for_poll() const { return phase() == CyclePhase::settle && settler_.waits_for_poll(); }

    bool active() const { return heap_.collection.active(); }
    CyclePhase phase() const { return cycle_.phase.now(); }
    bool has_thread() const { return driver_.has_thread(); }
    const Cycle& cycle() const { return cycle_; }
    Driver& driver() { return driver_; }

    void note_slot(const IncomingSlot& slot, void* target);
    bool marked(const void* object) const;
    bool dying(const void* object) const;

private:
    /// Which of those that wait may begin, and how many are looked at.
    struct Turn {
        bool in_poll = false;
        std::size_t most = 0;
    };

    /// For reports.
    struct Begun {
        Label label;
        std::size_t regions;
        std::uint64_t bytes;
    };

    bool advance(Slice& slice);
    void destroy(Slice& slice);
    void begin_waiting(Turn turn);
    bool take(Region& region, bool in_poll);
    void owe(Region& region);
    void waits_no_more(Region& region);
    std::size_t most_regions() const;
    Begun open_scopes_in(const Region& outermost) const;
    bool freeze_some(Deadline& deadline);
    bool freeze_next();
    bool freeze_next_ended();
    void freeze_now(Region& region);
    void freeze_waiting(Region& region);
    void freeze_open(Region& region);
    void drop_old_spare(Region& region);
    void pass_frozen();
    bool put_in_order(const Deadline& deadline);
    void merge(Region& region);
    void begin(CollectionReason reason, const Begun& begun);
    bool sort_shades(Deadline& deadline);
    void begin_marking();
    void hand_over_slots();
    void forget_shades();
    void freeze(Region& region);
    void end();
    void set_mode(detail::BarrierMode mode);
    void attend_current();

    using Waiting = std::deque<Region*, detail::ListAllocator<Region*>>;

    HeapCore& heap_;
    Cycle cycle_;
    Gather gather_{cycle_};
    bool gathered_ = false;  // and the collector is not told yet
    Reap reap_{cycle_};
    Settler settler_{cycle_};
    Follow follow_{cycle_};
    bool hold_ = false;
    bool none_ready_ = false;
    std::optional<CollectionResult> untold_;
    std::size_t owed_ = 0;
    // In the order of their ends: inner scopes first. All of the first list come before those of the second; they were passed over,
    // and wait for a poll.
    Waiting waiting_for_poll_{heap_.chunks}, waiting_{heap_.chunks};
    // What the collection that has begun has to freeze yet: of ended scopes, those of the set up to this number.
    std::size_t next_ended_ = 0;
    // Of open ones: those that wait, from the number on; of the scopes around the current one, from the innermost on; of the other
    // detached ones, from there on in their list; and the root.
    std::size_t next_waiting_ = 0, last_waiting_ = 0;
    Region* chain_ = nullptr;
    Region* detached_ = nullptr;
    // What is frozen of these. Destructors run in this order, inner scopes first, whichever was frozen first.
    detail::List<Region*> frozen_waiting_{heap_.chunks}, frozen_detached_{heap_.chunks}, frozen_nest_{heap_.chunks};
    std::size_t in_order_ = 0;  // of the first of these that is not empty
    Driver driver_;             // at last: its thread ends first
};

}  // namespace perfloc::gc
