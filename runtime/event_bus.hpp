#pragma once

#include "runtime/clock.hpp"

#include <perfloc/detail/hot.hpp>
#include <perfloc/events.hpp>

#include <atomic>
#include <mutex>
#include <vector>

namespace perfloc::detail {

struct HeapCore;

/// The beginning of a pause, a slice, or other work that takes time.
struct Moment {
    std::uint64_t ticks = 0;        ///< of TickClock
    std::chrono::nanoseconds at{};  ///< of the monotonic clock; zero unless someone listens
};

struct SliceWork {
    Bytes bytes = 0;
    std::uint64_t objects = 0;
};

/// Where the runtime and the collectors say what they do. Nobody listens as a rule: then an event is a load and a branch.
/// Otherwise the listeners are called under a lock, so that calls do not overlap, and all times come from one clock, so that
/// what lies inside something else by program order does so by the times too.
///
/// begun and ended are the mutator's; phase and slice may come from the collector's thread, one thread at a time within
/// a cycle. Collections overlap: a destructor may end a scope, and a collection in the caller may run beside the collector's.
class EventBus {
public:
    explicit EventBus(HeapCore& heap) : heap_(heap) {}
    EventBus(const EventBus&) = delete;
    EventBus& operator=(const EventBus&) = delete;

    void add(EventListener& listener);
    void remove(EventListener& listener) noexcept;
    // Relaxed: listeners are added where the other thread is idle or sees it a little later.
    bool listening() const { return listening_.load(std::memory_order_relaxed); }

    Moment now() const {
        Moment moment{TickClock::now(), {}};
        if (listening()) [[unlikely]]
            moment.at = Clock::now().time_since_epoch();
        return moment;
    }

    /// A cycle begins. Returns its number.
    std::uint64_t collection_begun(CollectionReason reason, const Label& label, std::size_t regions, Bytes bytes);
    /// The cycle of this number enters a phase. The name is a literal.
    void phase(std::uint64_t cycle, const char* name) {
        if (listening()) [[unlikely]]
            tell_phase(cycle, name);
    }
    /// A slice of the cycle is over. Its overrun is counted whoever listens. Returns how long it took.
    std::chrono::nanoseconds slice(std::uint64_t cycle, SliceKind kind, const Moment& start, const SliceWork& work,
                                   std::chrono::nanoseconds budget = std::chrono::nanoseconds::max());
    /// A pause is over: records it in the heap's log, too. Returns how long it took.
    std::chrono::nanoseconds pause(PauseCause cause, const Moment& start, Bytes looked_at, Bytes survived,
                                   const Label& label, std::chrono::nanoseconds time_to_stop = {});
    void collection_ended(std::uint64_t cycle, const CollectionResult& result) {
        if (listening()) [[unlikely]]
            tell_ended(cycle, result);
    }
    void memory(MemoryEvent::Change change, Bytes bytes, const Moment& start) {
        if (listening()) [[unlikely]]
            tell_memory(change, bytes, start);
    }

    /// The calling thread is a collector's from now on: its events say so.
    static void this_thread_collects() noexcept;

private:
    struct Cycle {
        std::uint64_t number;
        std::chrono::nanoseconds begun;
    };

    void tell_phase(std::uint64_t cycle, const char* name);
    void tell_slice(std::uint64_t cycle, SliceKind kind, const Moment& start, std::chrono::nanoseconds duration,
                    const SliceWork& work, std::chrono::nanoseconds overrun);
    void tell_pause(const PauseEvent& pause, const Moment& start);
    void tell_ended(std::uint64_t cycle, const CollectionResult& result);
    void tell_memory(MemoryEvent::Change change, Bytes bytes, const Moment& start);
    static std::chrono::nanoseconds elapsed(const Moment& start);
    /// When it began by the monotonic clock, also where nobody listened then.
    static std::chrono::nanoseconds beginning(const Moment& start, std::chrono::nanoseconds duration);
    /// The end where nobody heard it begin.
    std::vector<Cycle>::const_iterator find(std::uint64_t cycle) const;
    std::uint64_t innermost() const { return open_.empty() ? 0 : open_.back().number; }
    std::unique_lock<std::mutex> lock() const;
    void describe(Event& event, std::chrono::nanoseconds time, std::uint64_t cycle) const;
    template <class E>
    void call(void (EventListener::*what)(const E&) noexcept, const E& event);

    HeapCore& heap_;
    std::atomic<bool> listening_{false};
    std::atomic<std::uint64_t> cycles_{0};
    mutable std::mutex lock_;  // guards what follows, and is held during the calls
    std::vector<EventListener*> listeners_;
    std::vector<Cycle> open_;  // the newest last; only of those that someone heard the beginning of
};

}  // namespace perfloc::detail
