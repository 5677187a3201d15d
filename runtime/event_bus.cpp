#include "runtime/event_bus.hpp"

#include "runtime/check.hpp"
#include "runtime/heap_core.hpp"

#include <algorithm>

namespace perfloc {

std::string_view to_string(CollectionReason reason) noexcept {
    switch (reason) {
        case CollectionReason::scope_end:
            return "scope end";
        case CollectionReason::pressure:
            return "pressure";
        case CollectionReason::trim:
            return "trim";
        case CollectionReason::soft_limit:
            return "soft limit";
        case CollectionReason::baseline:
            return "baseline";
        case CollectionReason::on_demand:
            return "on demand";
    }
    return "?";
}

std::string_view to_string(SliceKind kind) noexcept {
    switch (kind) {
        case SliceKind::roots:
            return "roots";
        case SliceKind::weak:
            return "weak";
        case SliceKind::destructors:
            return "destructors";
        case SliceKind::adopt:
            return "adopt";
        case SliceKind::evacuate:
            return "evacuate";
        case SliceKind::slots:
            return "slots";
        case SliceKind::marking:
            return "marking";
    }
    return "?";
}

PauseCause cause_of(SliceKind kind) noexcept {
    switch (kind) {
        case SliceKind::roots:
            return PauseCause::roots;
        case SliceKind::weak:
            return PauseCause::weak_handles;
        case SliceKind::destructors:
            return PauseCause::destructors;
        case SliceKind::adopt:
        case SliceKind::slots:
            return PauseCause::settling;
        case SliceKind::evacuate:
            return PauseCause::evacuation;
        case SliceKind::marking:
            break;
    }
    return PauseCause::marking;
}

EventListener::~EventListener() = default;

namespace detail {

namespace {

thread_local bool collects = false;
/// Whose listeners this thread is calling: a listener may use another heap, which has some of its own.
struct Calling {
    const EventBus* bus;
    const Calling* outer;
};
thread_local const Calling* calling = nullptr;

bool is_calling(const EventBus* bus) {
    const Calling* call = calling;
    while (call != nullptr && call->bus != bus) call = call->outer;
    return call != nullptr;
}

std::chrono::nanoseconds monotonic() { return Clock::now().time_since_epoch(); }

}  // namespace

void EventBus::this_thread_collects() noexcept { collects = true; }

void EventBus::add(EventListener& listener) {
    PERFLOC_CHECK(!is_calling(this), "a listener is added while a listener is called");
    const auto guard = lock();
    open_.reserve(16);
    listeners_.push_back(&listener);
    listening_.store(true, std::memory_order_relaxed);
}

void EventBus::remove(EventListener& listener) noexcept {
    PERFLOC_CHECK(!is_calling(this), "a listener is removed while a listener is called");
    const auto guard = lock();
    std::erase(listeners_, &listener);
    if (!listeners_.empty()) return;
    listening_.store(false, std::memory_order_relaxed);
    open_.clear();
}

std::unique_lock<std::mutex> EventBus::lock() const {
    PERFLOC_CHECK(!is_calling(this), "a listener uses the heap that it is called for");
    return std::unique_lock(lock_);
}

std::vector<EventBus::Cycle>::const_iterator EventBus::find(std::uint64_t cycle) const {
    return std::find_if(open_.begin(), open_.end(), [=](const Cycle& open) { return open.number == cycle; });
}

void EventBus::describe(Event& event, std::chrono::nanoseconds time, std::uint64_t cycle) const {
    event.time = time;
    event.heap = heap_.number;
    event.cycle = cycle;
    event.collector_thread = collects;
}

template <class E>
void EventBus::call(void (EventListener::*what)(const E&) noexcept, const E& event) {
    const Calling call{this, calling};
    calling = &call;
    for (EventListener* const listener : listeners_) (listener->*what)(event);
    calling = call.outer;
}

std::chrono::nanoseconds EventBus::elapsed(const Moment& start) {
    if (start.at != std::chrono::nanoseconds::zero()) return monotonic() - start.at;
    return TickClock::duration(TickClock::now() - start.ticks);
}

std::chrono::nanoseconds EventBus::beginning(const Moment& start, std::chrono::nanoseconds duration) {
    return start.at != std::chrono::nanoseconds::zero() ? start.at : monotonic() - duration;
}

std::uint64_t EventBus::collection_begun(CollectionReason reason, const Label& label, std::size_t regions,
                                         Bytes bytes) {
    const std::uint64_t cycle = cycles_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!listening()) return cycle;
    const auto guard = lock();
    if (open_.size() == open_.capacity()) return cycle;  // nested deeper than anyone follows: in silence
    CollectionBegunEvent event;
    open_.push_back({cycle, monotonic()});
    describe(event, open_.back().begun, cycle);
    event.reason = reason;
    event.label = label.text();
    event.regions = regions;
    event.bytes = bytes;
    event.used_bytes = heap_.pool.used_bytes();
    event.committed_bytes = heap_.pool.committed_bytes();
    call(&EventListener::on_collection_begun, event);
    return cycle;
}

void EventBus::tell_phase(std::uint64_t cycle, const char* name) {
    const auto guard = lock();
    if (find(cycle) == open_.end()) return;
    PhaseEnteredEvent event;
    describe(event, monotonic(), cycle);
    event.name = name;
    call(&EventListener::on_phase_entered, event);
}

std::chrono::nanoseconds EventBus::slice(std::uint64_t cycle, SliceKind kind, const Moment& start,
                                         const SliceWork& work, std::chrono::nanoseconds budget) {
    const std::chrono::nanoseconds duration = elapsed(start);
    const bool late = duration > budget;
    if (late) {
        const auto cause = static_cast<std::size_t>(cause_of(kind));
        heap_.totals.slice_overruns[cause].fetch_add(1, std::memory_order_relaxed);
    }
    if (listening()) {
        tell_slice(cycle, kind, start, duration, work, late ? duration - budget : std::chrono::nanoseconds::zero());
    }
    return duration;
}

void EventBus::tell_slice(std::uint64_t cycle, SliceKind kind, const Moment& start, std::chrono::nanoseconds duration,
                          const SliceWork& work, std::chrono::nanoseconds overrun) {
    const auto guard = lock();
    SliceDoneEvent event;
    describe(event, beginning(start, duration), find(cycle) == open_.end() ? 0 : cycle);
    event.kind = kind;
    event.duration = duration;
    event.bytes = work.bytes;
    event.objects = work.objects;
    event.overrun = overrun;
    call(&EventListener::on_slice_done, event);
}

std::chrono::nanoseconds EventBus::pause(PauseCause cause, const Moment& start, Bytes looked_at, Bytes survived,
                                         const Label& label, std::chrono::nanoseconds time_to_stop) {
    const std::chrono::nanoseconds duration = elapsed(start);
    heap_.pauses.record(cause, start.ticks, duration, looked_at, survived, label, time_to_stop);
    if (listening()) tell_pause(heap_.pauses.newest(), start);
    return duration;
}

void EventBus::tell_pause(const PauseEvent& pause, const Moment& start) {
    const auto guard = lock();
    PausedEvent event;
    describe(event, beginning(start, pause.duration), innermost());
    event.pause = pause;
    call(&EventListener::on_paused, event);
}

void EventBus::tell_ended(std::uint64_t cycle, const CollectionResult& result) {
    const auto guard = lock();
    const auto open = find(cycle);
    if (open == open_.end()) return;
    CollectionEndedEvent event;
    describe(event, monotonic(), cycle);
    event.duration = event.time - open->begun;
    event.result = result;
    event.used_bytes = heap_.pool.used_bytes();
    event.committed_bytes = heap_.pool.committed_bytes();
    open_.erase(open);
    call(&EventListener::on_collection_ended, event);
}

void EventBus::tell_memory(MemoryEvent::Change change, Bytes bytes, const Moment& start) {
    const auto guard = lock();
    MemoryEvent event;
    event.duration = elapsed(start);
    describe(event, beginning(start, event.duration), innermost());
    event.change = change;
    event.bytes = bytes;
    event.committed_bytes = heap_.pool.committed_bytes();
    call(&EventListener::on_memory, event);
}

}  // namespace detail
}  // namespace perfloc
