#include "schedule/scheduler.hpp"

#include "property/interpreter.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/schedule_point.hpp"

#include <perfloc/testing.hpp>

namespace perfloc::schedule {

namespace {

Scheduler* running = nullptr;

}  // namespace

Scheduler::Scheduler(std::uint64_t seed) : random_(seed), interrupts_(1 + random_.below(6)) {
    running = this;
    detail::schedule_hook = at_point;
    property::between_operations = between;
}

Scheduler::~Scheduler() {
    property::between_operations = nullptr;
    detail::schedule_hook = nullptr;
    running = nullptr;
}

void Scheduler::at_point() {
    Scheduler& self = *running;
    ++self.counts_.points;
    if (detail::hot.mutator == nullptr || self.random_.below(self.interrupts_) != 0) return;
    detail::CollectorInterface& collector = *detail::hot.mutator->heap->collector;
    const std::string_view before = collector.phase();
    if (before != "mark" && before != "sweep") return;
    ++self.counts_.interruptions;
    collector.step_collector(static_cast<unsigned>(1 + self.random_.below(8)));
}

void Scheduler::between(property::World& world) {
    Scheduler& self = *running;
    if (world.failed() || !world.attached()) return;
    switch (self.random_.below(6)) {
        case 0:
        case 1:
            testing::step_collector(world.heap(), static_cast<unsigned>(1 + self.random_.below(16)));
            break;
        case 2:
        case 3:
            for (std::uint64_t n = 1 + self.random_.below(4); n > 0 && testing::slice(world.heap()); --n) {
                ++self.counts_.slices;
            }
            break;
        default:
            break;
    }
    const std::string_view phase = testing::phase(world.heap());
    if (phase == self.last_phase_) return;
    self.last_phase_ = phase;
    ++self.counts_.phase_changes;
    world.check();
}

}  // namespace perfloc::schedule
