#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/stats.hpp>
#include <perfloc/units.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What the collector reports while it works: to a listener of the program's own, to a trace file
/// (perfloc/trace_events.hpp, PERFLOC_TRACE), to the standard error stream (PERFLOC_LOG).
namespace perfloc {

/// Why a collection began.
enum class CollectionReason : std::uint8_t {
    scope_end,   ///< an ended scope that something outside may still name
    pressure,    ///< much was allocated in a scope that stays open
    trim,        ///< Scope::trim()
    soft_limit,  ///< the heap reached its soft limit
    baseline,    ///< Collector::full: the heap has grown enough
    on_demand,   ///< Heap::collect_full() (and every safepoint under PERFLOC_STRESS=move)
};
inline constexpr std::size_t kCollectionReasons = 6;
PERFLOC_API std::string_view to_string(CollectionReason reason) noexcept;

/// What a slice did: work of a collection that is bounded by the clock.
enum class SliceKind : std::uint8_t {
    roots,        ///< handles and incoming slots walked
    weak,         ///< weak handles to the dead cleared
    destructors,  ///< destructors of the dead run
    adopt,        ///< spans given to the scope that their survivors went to
    evacuate,     ///< survivors copied out of sparse spans
    slots,        ///< recorded slots recorded again for where their targets are now
    marking,      ///< objects marked, in a fiber that the program's thread or the collector's runs
};
inline constexpr std::size_t kSliceKinds = 7;
PERFLOC_API std::string_view to_string(SliceKind kind) noexcept;
/// The cause under which the slice's time is counted where the program's thread ran it.
PERFLOC_API PauseCause cause_of(SliceKind kind) noexcept;

/// What all events have.
struct Event {
    std::chrono::nanoseconds time{};  ///< of std::chrono::steady_clock, since its epoch: when it happened or began
    std::uint64_t heap = 0;           ///< which heap of the process, in the order in which they were made; from 1
    std::uint64_t cycle = 0;          ///< the heap's collection, from 1, that it is of; of pauses and memory: the one
                                      ///< that began last of those that go on. 0: none, or nobody heard it begin
    bool collector_thread = false;    ///< told by the collector's thread, else by the mutator's
};

struct CollectionBegunEvent : Event {
    CollectionReason reason{};
    std::string_view label;   ///< of the scope; "(heap)" for a collection of the whole heap
    std::size_t regions = 0;  ///< that are looked at
    Bytes bytes = 0;          ///< in them
    Bytes used_bytes = 0;     ///< as Stats::used_bytes
    Bytes committed_bytes = 0;
};

/// The phase lasts until the next one of its cycle, or the end of the collection.
struct PhaseEnteredEvent : Event {
    const char* name = "";
};

struct SliceDoneEvent : Event {
    SliceKind kind{};
    std::chrono::nanoseconds duration{};  ///< wall time
    Bytes bytes = 0;                      ///< looked at or moved
    std::uint64_t objects = 0;
    std::chrono::nanoseconds overrun{};  ///< beyond its budget; zero where it kept it
};

/// The pause is over; it is in the heap's log (Stats::last_pauses) under the same number.
struct PausedEvent : Event {
    PauseEvent pause;
};

/// What a collection came to.
struct CollectionResult {
    Bytes before_bytes = 0;     ///< in what was looked at
    Bytes freed_bytes = 0;      ///< of those, given to the pool
    Bytes promoted_bytes = 0;   ///< survivors of ended scopes: evacuated and adopted
    Bytes evacuated_bytes = 0;  ///< copied
    Bytes adopted_bytes = 0;    ///< left where they are
    Bytes live_bytes = 0;       ///< marked
    std::uint64_t destructors = 0;
    /// What moving a byte, and fixing a reference to what moved, are taken to cost from here on (learned), in nanoseconds.
    double evacuation_ns_per_byte = 0, evacuation_ns_per_slot = 0;
};

struct CollectionEndedEvent : Event {
    std::chrono::nanoseconds duration{};  ///< since it began
    CollectionResult result;
    Bytes used_bytes = 0;
    Bytes committed_bytes = 0;
};

/// Pages of the heap went back to the system, or were touched ahead of use.
struct MemoryEvent : Event {
    enum class Change : std::uint8_t { returned, prefaulted };
    Change change{};
    Bytes bytes = 0;
    std::chrono::nanoseconds duration{};
    Bytes committed_bytes = 0;
};

/// Hears of the collections of the heaps that it was added to (Heap::add_listener). The rules:
///
/// - It is called by the thread that does the work, the mutator's or the collector's, in the middle of it: the time of a call
///   is part of a pause, so a call should be O(1) and take less than a microsecond, without a system call or an allocation.
/// - Calls for one heap never overlap; what one call wrote the next one sees, whichever the thread. A listener of two heaps
///   may be called for both at once.
/// - A call must not use the heap in any way: no allocation in it, no scope, no handle, no poll, no add_listener or
///   remove_listener. (What would tell of another event is detected, and aborts.) It may run on a stack of 256 KiB.
/// - Collections overlap: one in the caller may begin and end while one beside the program goes on. `cycle` says which.
/// - Who is added while collections go on may hear of phases and ends whose beginning it has not heard.
/// - Text in an event (labels, names of phases) is kept for the rest of the process.
/// - Scopes that end in O(1) are told to nobody: that costs nothing and stays so.
class PERFLOC_API EventListener {
public:
    EventListener() = default;
    EventListener(const EventListener&) = delete;
    EventListener& operator=(const EventListener&) = delete;
    virtual ~EventListener();

    virtual void on_collection_begun(const CollectionBegunEvent&) noexcept {}
    virtual void on_phase_entered(const PhaseEnteredEvent&) noexcept {}
    virtual void on_slice_done(const SliceDoneEvent&) noexcept {}
    virtual void on_paused(const PausedEvent&) noexcept {}
    virtual void on_collection_ended(const CollectionEndedEvent&) noexcept {}
    virtual void on_memory(const MemoryEvent&) noexcept {}
};

}  // namespace perfloc
