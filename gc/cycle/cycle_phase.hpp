#pragma once

#include "runtime/check.hpp"
#include "runtime/event_bus.hpp"

#include <atomic>
#include <cstdint>
#include <string_view>

/// law [phase]: the phases of a collection beside the program. Each has one owner, who alone leaves it: the collector, or
/// the mutator in its slices.
///
///     idle -> gather -> mark <-> agree -> sweep -> clear -> destroy -> record -> settle -> follow -> idle
///
/// gather   (mutator) recorded slots and handles that point into the set become its roots
/// mark     (collector) from the roots and the shades, inside the set only
/// agree    (mutator) hands its shades over; were there none, marking has ended
/// sweep    (collector) spans without marks are free, the others are to be adopted or evacuated; slots are listed
/// clear    (mutator) weak handles to the dead
/// destroy  (mutator) destructors of the dead run, newest first; nothing has moved, nothing is reused (law [park])
/// record   (mutator) references that will point inward once their objects have gone outward
/// settle   (mutator) span by span: adopt in place, or evacuate
/// follow   (mutator) slots, handles and destructors go where their objects have gone; what is free is released
namespace perfloc::gc {

enum class CyclePhase : std::uint8_t { idle, gather, mark, agree, sweep, clear, destroy, record, settle, follow };

constexpr std::string_view to_string(CyclePhase phase) {
    constexpr std::string_view names[] = {"idle",  "gather",  "mark",   "agree",  "sweep",
                                          "clear", "destroy", "record", "settle", "follow"};
    return names[static_cast<std::size_t>(phase)];
}

constexpr bool legal(CyclePhase from, CyclePhase to) {
    if (from == CyclePhase::agree && to == CyclePhase::mark) return true;
    if (from == CyclePhase::follow) return to == CyclePhase::idle;
    return static_cast<int>(to) == static_cast<int>(from) + 1;
}

constexpr bool is_collectors(CyclePhase phase) { return phase == CyclePhase::mark || phase == CyclePhase::sweep; }

/// The phase of the collection beside the program. Entering hands over everything the owner has written: release here
/// pairs with acquire in now().
class CyclePhaseOwner {
public:
    explicit CyclePhaseOwner(detail::EventBus& events) : events_(events) {}
    CyclePhase now() const { return phase_.load(std::memory_order_acquire); }
    /// The number by which listeners know the collection whose phases come now, or came last.
    void begin(std::uint64_t cycle) { cycle_ = cycle; }
    std::uint64_t cycle() const { return cycle_; }
    void enter(CyclePhase next) {
        const CyclePhase from = phase_.load(std::memory_order_relaxed);  // only its owner changes it
        PERFLOC_CHECK(legal(from, next), "internal: a collection goes from phase {} to {}", to_string(from),
                      to_string(next));
        if (next != CyclePhase::idle) events_.phase(cycle_, to_string(next).data());  // a literal
        phase_.store(next, std::memory_order_release);
    }

private:
    detail::EventBus& events_;
    std::uint64_t cycle_ = 0;
    std::atomic<CyclePhase> phase_{CyclePhase::idle};
};

}  // namespace perfloc::gc
