#pragma once

#include "runtime/check.hpp"
#include "runtime/event_bus.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// law [phase]: one owner changes the phase of a collection, along these transitions only.
///
///     idle -> mark -> destroy -> settle -> idle        an ended scope
///     idle -> mark -> destroy -> compact -> idle       the whole heap
///
/// mark     from the handles and the incoming slots of the condemned set, inside the set only; then weak handles to
///          what is not marked are cleared, and spans without marks are known (sweep)
/// destroy  the destructors of the dead run, newest first; nothing has moved yet, nothing is reused (law [park])
/// settle   each span with survivors is adopted in place or evacuated; slots and handles follow; the rest is freed
/// compact  survivors slide together inside their regions; all references follow; empty spans are freed
namespace perfloc::gc {

enum class Phase : std::uint8_t { idle, mark, destroy, settle, compact };

constexpr bool legal(Phase from, Phase to) {
    switch (from) {
        case Phase::idle:
            return to == Phase::mark;
        case Phase::mark:
            return to == Phase::destroy;
        case Phase::destroy:
            return to == Phase::settle || to == Phase::compact;
        case Phase::settle:
            return to == Phase::idle;
        case Phase::compact:
            return to == Phase::idle;
    }
    return false;
}

/// How listeners know it.
constexpr const char* name_of(Phase phase) {
    constexpr const char* names[] = {"idle", "mark", "destroy", "settle", "compact"};
    return names[static_cast<std::size_t>(phase)];
}

/// The phase of one collector. Tells it to those who listen to the heap.
class PhaseOwner {
public:
    explicit PhaseOwner(detail::EventBus& events) : events_(events) {}
    Phase now() const { return phase_; }
    /// The number by which listeners know the collection whose phases come now.
    void begin(std::uint64_t cycle) { cycle_ = cycle; }
    std::uint64_t cycle() const { return cycle_; }
    void enter(Phase next) {
        PERFLOC_CHECK(legal(phase_, next), "internal: a collection goes from phase {} to {}", static_cast<int>(phase_),
                      static_cast<int>(next));
        phase_ = next;
        if (next != Phase::idle) events_.phase(cycle_, name_of(next));
    }

private:
    detail::EventBus& events_;
    std::uint64_t cycle_ = 0;
    Phase phase_ = Phase::idle;
};

}  // namespace perfloc::gc
