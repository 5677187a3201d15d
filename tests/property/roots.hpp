// What a heap program holds on to from outside the heap, beside what its model says it is.
#pragma once

#include "model.hpp"

#include <array>
#include <optional>
#include <vector>

namespace perfloc::property {

template <class H>
struct Slot {
    H handle;
    Id id = 0;  ///< of its object; 0: the handle is null

    void reset() {
        handle.reset();
        id = 0;
    }
};

struct PinSlot {
    std::optional<Pin<Object>> pin;
    Id id = 0;
    const Object* address = nullptr;  ///< where it has to stay

    void reset() {
        pin.reset();
        id = 0;
    }
};

/// A plain pointer, for as long as law [raw] lets it be one.
struct RawSlot {
    Object* object = nullptr;
    Id id = 0;
    ScopeNumber home = kRootScope;  ///< the scope that its object lived in
    ScopeNumber next = 0;           ///< the scope that was begun next after the pointer was obtained
    ScopeNumber innermost = 0;      ///< the innermost scope then
    bool fresh = false;             ///< its object's scope ended after the last poll, and waits to be settled

    /// law [raw]: an object whose scope had ended counts as living in the innermost scope that was open when the pointer was
    /// obtained, until it is settled in another one. That may be a detached scope, at once or some time after a poll.
    bool ends_with(ScopeNumber scope, bool detached) const {
        if (home != kElsewhere) return home == scope;
        return detached && fresh ? scope == innermost : scope < next;
    }
    void reset() { *this = {}; }
};

struct Roots {
    std::array<Slot<Handle<Object>>, 12> handles;
    std::array<Slot<WeakHandle<Object>>, 6> weak;
    std::array<Slot<GlobalHandle<Object>>, 3> globals;
    std::array<Slot<GlobalWeakHandle<Object>>, 3> weak_globals;
    std::array<PinSlot, 3> pins;
    std::array<RawSlot, 6> raws;
    std::vector<Id> returned;  ///< by blocks that are being closed

    /// What keeps its object alive.
    std::vector<Id> strong() const;
    /// What each global handle holds.
    std::vector<Id> held_globally() const;
    /// Those, and what may be looked at all the same.
    std::vector<Id> valid() const;

    /// What an operand names: one of all that is held, or an object a few edges away from it.
    struct Pick {
        Object* object = nullptr;
        Id id = 0;
    };
    Pick pick(const Model& model, unsigned operand) const;

    void reset_raws();
    void reset_local();  ///< all that belongs to the mutator
    void reset_global();
};

}  // namespace perfloc::property
