#include "gc/cycle/engine.hpp"

#include "gc/mark/marked_objects.hpp"
#include "gc/policy/slice_policy.hpp"
#include "runtime/condemned.hpp"
#include "runtime/handles.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <chrono>

namespace perfloc::gc {

using detail::BarrierMode;

namespace {

constexpr std::size_t kGhostsAtOnce = 64, kMostGhostsAtOnce = 2048;
constexpr std::size_t kParkedAtOnce = 16;

/// To wake a thread that sleeps: a call of the system, and an interrupt of another core.
constexpr std::chrono::microseconds kWakeTakes{40};

}  // namespace

Engine::Engine(HeapCore& heap, bool wants_thread) : heap_(heap), cycle_(heap), driver_(cycle_, wants_thread) {}

void Engine::poll() {
    ++heap_.collection.polls;
    heap_.collection.parked_at_poll = heap_.collection.parked;
    detail::drop_ghosts(heap_, kGhostsAtOnce, kMostGhostsAtOnce);
    // Protocol P20: those that were parked before this poll count for nothing that waits.
    if (heap_.collection.mode != BarrierMode::gathering) release_parked(kParkedAtOnce);
    forget_shades();
}

bool Engine::release_parked(std::size_t most) {
    std::size_t released = 0;
    while (released < most && detail::release_parked(heap_)) ++released;
    return released != 0;
}

/// At a poll. For regions that wait it is as if they had ended here: no raw pointer is older.
void Engine::forget_shades() {
    heap_.collection.waiting_shades.clear(heap_.chunks);
    heap_.collection.settling_shades.clear(heap_.chunks);
}

bool Engine::slice(Slice slice) {
    ++cycle_.totals.slices;
    while (!heap_.collection.gathers() && detail::release_parked(heap_)) {
        if (slice.deadline.passed()) return false;
    }
    while (detail::release_dropped(heap_)) {
        if (slice.deadline.passed_now()) return false;
    }
    while (advance(slice)) {
        if (slice.deadline.passed_now()) return false;
    }
    return true;
}

bool Engine::step(bool in_poll) {
    if (!active()) return false;
    if (is_collectors(phase())) {
        driver_.step(1);
        return true;
    }
    // Many spans are too dear for so short a slice: they are adopted where a poll would have moved them.
    Slice piece{.deadline = Deadline::in({}), .in_poll = in_poll};
    if (in_poll && waits_for_poll()) piece.deadline = Deadline::once(slice_of(longest_slice(heap_.options.pauses)));
    return advance(piece);
}

/// One phase, or a part of it. False when nothing more can be done in this slice.
bool Engine::advance(Slice& slice) {
    Deadline& deadline = slice.deadline;
    switch (phase()) {
        case CyclePhase::idle:
            if (heap_.collection.waiting == 0 || hold_ || (none_ready_ && !slice.in_poll)) return false;
            begin_waiting({slice.in_poll, deadline.is_never() ? SIZE_MAX : most_regions()});
            return phase() != CyclePhase::idle;
        case CyclePhase::gather:
            if (!sort_shades(deadline)) return true;
            // In the stress mode one region a slice, so that small programs too go on meanwhile.
            if (!heap_.collection.frozen && !freeze_some(deadline)) return !heap_.stress.condemn;
            if (!gathered_) {
                if (!gather_.step(deadline)) return true;
                gathered_ = true;
                if (driver_.has_thread() && deadline.left() < kWakeTakes) return false;  // in the next slice
            }
            begin_marking();
            return true;
        case CyclePhase::mark:
        case CyclePhase::sweep:
            if (driver_.has_thread()) return false;
            driver_.run_here(deadline);
            return true;
        case CyclePhase::agree:
            answer();
            return true;
        case CyclePhase::clear:
            if (reap_.clear(deadline, slice.may_clear)) cycle_.phase.enter(CyclePhase::destroy);
            return !reap_.held_up();
        case CyclePhase::destroy:
            destroy(slice);
            return !reap_.held_up();
        case CyclePhase::record:
            if (settler_.record(deadline)) cycle_.phase.enter(CyclePhase::settle);
            return true;
        case CyclePhase::settle:
            if (settler_.settle(deadline, slice.in_poll, slice.adopt_all)) {
                follow_.begin();
                cycle_.phase.enter(CyclePhase::follow);
                return true;
            }
            if (!settler_.waits_for_poll() || slice.adopt_all) return true;
            return slice.in_poll && settler_.needs() <= deadline.left();
        case CyclePhase::follow:
            if (!follow_.step(deadline)) return true;
            end();
            if (slice.tells_end) tell_end();
            return slice.tells_end;
    }
    return false;
}

void Engine::destroy(Slice& slice) {
    const bool done = reap_.destroy(slice.deadline, slice.may_destroy);
    // What destructors shade is for raw pointers, of which a poll leaves none; and what it settles next may move.
    if (slice.in_poll) forget_shades();
    if (!done) return;
    settler_.begin();
    heap_.collection.dead_known = true;
    cycle_.phase.enter(CyclePhase::record);
}

void Engine::answer() {
    if (phase() == CyclePhase::gather && gathered_) return begin_marking();
    if (phase() != CyclePhase::agree) return;
    detail::CollectionState& collection = heap_.collection;
    const bool none = collection.shades.empty();
    cycle_.handed.splice(collection.shades);
    collection.unsorted_shades = 0;  // law [progress]: from now on only of what is not marked yet
    if (none) {
        hand_over_slots();
        reap_.begin();
        set_mode(BarrierMode::settling);
    }
    cycle_.phase.enter(none ? CyclePhase::sweep : CyclePhase::mark);
    driver_.wake();
}

void Engine::begin_marking() {
    gathered_ = false;
    set_mode(BarrierMode::marking);
    cycle_.phase.enter(CyclePhase::mark);
    driver_.wake();
}

/// What was told until now the collector looks at; what is written from now on is told again.
void Engine::hand_over_slots() {
    if (!cycle_.pressure()) return;  // those of ended regions are followed later, and are few
    detail::ChunkList<IncomingSlot> own = heap_.collection.open.own_slots.take();
    cycle_.told.splice(own);
    heap_.recent_slots.clear();
}

void Engine::end() {
    cycle_.set.clear();
    cycle_.roots.clear(heap_.chunks);
    cycle_.told.clear(heap_.chunks);
    heap_.collection.open.own_slots.clear(heap_.chunks);
    cycle_.candidates.clear();
    cycle_.slot_chunks.reset();
    heap_.collection.candidates_known = heap_.collection.dead_known = false;
    heap_.totals.scope_collections += 1;
    const CycleTotals& totals = cycle_.totals;
    const std::uint64_t live = totals.adopted_bytes + totals.evacuated_bytes;
    untold_ = {.before_bytes = totals.before_bytes,
               .freed_bytes = totals.before_bytes - std::min(totals.before_bytes, live),
               .promoted_bytes = cycle_.pressure() ? 0 : live,
               .evacuated_bytes = totals.evacuated_bytes,
               .adopted_bytes = totals.adopted_bytes,
               .live_bytes = live,
               .destructors = totals.destructors,
               .evacuation_ns_per_byte = settler_.costs().per_byte(),
               .evacuation_ns_per_slot = settler_.costs().per_slot()};
    if (cycle_.pressure()) ++heap_.collection.counts.pressure_cycles;
    none_ready_ = false;  // those around what was collected may be now
    cycle_.phase.enter(CyclePhase::idle);
    set_mode(BarrierMode::idle);
}

bool Engine::tell_end() {
    if (!untold_) return false;
    heap_.events.collection_ended(cycle_.phase.cycle(), *std::exchange(untold_, std::nullopt));
    return true;
}

void Engine::begin_next() {
    if (phase() == CyclePhase::idle && heap_.collection.waiting != 0 && !hold_) begin_waiting({true, most_regions()});
}

bool Engine::finish(bool may_destroy, bool in_poll) {
    while (active() || heap_.first_parked != nullptr) {
        hold_ = false;
        slice({.deadline = Deadline::never(), .in_poll = in_poll, .may_destroy = may_destroy, .adopt_all = true});
        if (is_collectors(phase())) {
            driver_.run_here(Deadline::never());
        } else if (phase() == CyclePhase::destroy && !may_destroy) {
            return false;
        } else if (phase() == CyclePhase::idle) {
            if (heap_.collection.waiting == 0) release_parked(SIZE_MAX);  // also what was parked while it went on
            return heap_.collection.waiting == 0;                         // the others wait for a poll
        }
    }
    return true;
}

void Engine::note_slot(const IncomingSlot& slot, void* target) { list_slot(cycle_, target, slot); }

/// Acquire: pairs with the collector's release once it has cleared the old marks of the span.
bool Engine::marked(const void* object) const {
    const detail::Span& span = heap_.pages.span_at(object);
    if (__atomic_load_n(&span.cycle, __ATOMIC_ACQUIRE) != cycle_.number) return false;
    return cycle_.marks.test(static_cast<const char*>(object) - kHeaderBytes);
}

bool Engine::dying(const void* object) const {
    return detail::in_set(heap_, object) && !marked_word(cycle_.marks, heap_.pages, object);
}

}  // namespace perfloc::gc
