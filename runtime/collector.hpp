#pragma once

#include <perfloc/heap.hpp>
#include <perfloc/scope.hpp>

#include <chrono>
#include <string_view>

/// The runtime's only way up: what it asks of the collector that the heap was made with.
namespace perfloc::detail {

struct HeapCore;
struct IncomingSlot;
struct Region;

class CollectorInterface {
public:
    virtual ~CollectorInterface() = default;

    /// A scope ended that something outside may still name, or that has destructors to run. `parent` is the region that
    /// encloses it and is current again. On return the region's survivors are settled and the region is gone, or it is
    /// condemned and a collection beside the program goes on with it (ScopeReport::settled). `report` says already what was
    /// allocated; the rest is filled in. Must not throw.
    virtual void end_scope(Region& ended, Region& parent, ScopeReport& report) noexcept = 0;
    /// An ended region that must wait for another one, or for the running collection (protocol P3, P6). O(1).
    virtual void condemn(Region& ended, Region& enclosing) noexcept = 0;
    /// The running collection is one of open scopes and may have to come to this one yet: it does so now. Moves nothing. O(1)
    /// amortised over the collection's scopes. Fields of the region must be true.
    virtual void freeze(Region& region) noexcept = 0;
    /// A scope has begun or ended while a collection goes on: one slice that moves nothing, within the budget.
    virtual void attend() noexcept = 0;
    /// Allocation takes more memory while a collection goes on: a slice as above, in which no destructor runs and no weak
    /// handle is cleared.
    virtual void attend_allocation() noexcept = 0;
    /// The slow path of allocation: a handshake is answered, in O(1). Nothing moves or dies.
    virtual void handshake() noexcept = 0;
    /// At the limit: ends what is being collected, moving nothing. False when nothing was; then there is no more to free.
    virtual bool relieve() noexcept = 0;
    /// At a safepoint: collects on until nothing is left (true), or until then.
    virtual bool collect_until(std::chrono::steady_clock::time_point until) = 0;
    /// The open region is collected, with all that it encloses, from the next safepoint on.
    virtual void trim(Region& region) = 0;
    /// Ends what is being collected, however long that takes.
    virtual void finish() noexcept = 0;
    /// Where the running collection evacuates `target`'s span, it must find `slot`.
    virtual void note_slot(const IncomingSlot& slot, void* target) noexcept = 0;
    /// The budget of pauses has changed.
    virtual void set_pauses() = 0;
    /// The running collection has marked an object of its set already. May say no for one that has just been marked.
    virtual bool marked(const void* object) const noexcept = 0;
    /// The running collection has found it dead.
    virtual bool dying(const void* object) const noexcept = 0;
    /// Collects the whole heap now. All mutators are at a safepoint.
    virtual void collect_full() = 0;
    /// At a safepoint: whatever is due, within the budget. True if objects may have moved or died.
    virtual bool safepoint() = 0;
    virtual VerifyReport verify() = 0;
    /// The phase of the collection beside the program, by name.
    virtual std::string_view phase() const noexcept = 0;
    /// For tests: at most so many pieces of the collector's work, where it is its turn; true if it is still.
    virtual bool step_collector(unsigned breaths) = 0;
    /// For tests: one piece of work. `in_poll`: whatever is due begins, and objects may move. False when nothing was done.
    virtual bool step(bool in_poll) = 0;
};

}  // namespace perfloc::detail
