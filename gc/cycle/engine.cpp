#include "gc/cycle/engine.hpp"

#include "gc/mark/marked_objects.hpp"
#include "gc/policy/slice_policy.hpp"
#include "gc/roots.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/handles.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace perfloc::gc {

using detail::BarrierMode;
using detail::RegionState;

namespace {

constexpr unsigned kGhostsAtOnce = 64;

/// Of what is collected, a 128th may be used for shades that are not looked at when they are made, and a 64th for records that may
/// be repetitions.
constexpr std::uint64_t kBytesPerShade = 1024, kBytesPerRecord = 1024;

/// Repetitions are walked in slices in the end, and to begin with many of them at once is a pause.
constexpr std::uint64_t kMostRepetitions = 32 * 1024;

/// To wake a thread that sleeps: a call of the system, and an interrupt of another core.
constexpr std::chrono::microseconds kWakeTakes{40};

}  // namespace

Engine::Engine(HeapCore& heap, bool wants_thread) : heap_(heap), cycle_(heap), driver_(cycle_, wants_thread) {}

// --- beginning -------------------------------------------------------------------------------------------------------

void Engine::condemn(Region& ended, Region& enclosing) {
    if (Region* const parent = ended.parent_region(); parent != nullptr && parent->spare == &ended)
        parent->spare = nullptr;
    detail::drop_spares(heap_, ended);
    detail::retire_cursors(heap_, ended);
    detail::RegionRecord& record = heap_.regions.record(ended);
    const std::uint8_t looked_at = record.looked_at;
    ended.ended_key = record.key;
    // Raw pointers that were obtained outside of it, law [raw]: to what it was given from another lineage, or out of its
    // slots to what waits, or to what the collection may send into it yet (the slots of a detached scope do not end with a
    // scope of its pointers).
    ended.start_in_poll = detail::is_source(heap_, ended) || looked_at != 0 ||
                          ended.received_poll == heap_.collection.polls || ended.receives;
    heap_.regions.close(ended, RegionState::condemned);
    record.looked_at = looked_at;
    ended.enclosing = &enclosing;
    ++enclosing.pending;
    enclosing.attention |= detail::kPending;
    detail::link_region(heap_.first_condemned, ended);
    waiting_.push_back(&ended);
    ++heap_.collection.waiting;
    heap_.collection.waiting_bytes += ended.pages * detail::kPageBytes;
    detail::CollectionCounts& counts = heap_.collection.counts;
    ++counts.condemned;
    if (phase() != CyclePhase::idle) ++counts.condemned_waiting;
    if (looked_at != 0) ++counts.condemned_in_set, owe(ended);
    if (phase() == CyclePhase::idle && !hold_) begin_waiting(false);
    set_mode(heap_.collection.mode);
    attend_current();
}

/// Protocol P2, P3: all that wait are the next set, but those whose inner scopes are not among them.
void Engine::begin_waiting(bool in_poll) {
    std::vector<Region*> rest;
    bool merged = false;
    for (Region* const region : waiting_) region->selected = 0;
    for (Region* const region : waiting_) {
        const bool ready = region->selected == region->pending;
        if (ready && (region->attention & detail::kKeep) == 0 && (in_poll || !region->start_in_poll)) {
            ++region->enclosing->selected;
            pay(*region);
            cycle_.set.push_back(region);
        } else if ((region->attention & detail::kKeep) != 0 && region->pending == 0) {
            merge(*region);
            merged = true;
        } else {
            rest.push_back(region);
        }
    }
    waiting_ = std::move(rest);
    heap_.collection.waiting = static_cast<std::uint32_t>(waiting_.size());
    heap_.collection.waiting_bytes = 0;
    for (const Region* const region : waiting_) heap_.collection.waiting_bytes += region->pages * detail::kPageBytes;
    // What was shaded for the scopes that were merged may die, and move, before anybody looks at it again.
    if (merged) {
        heap_.collection.waiting_shades.filter(heap_.chunks,
                                               [&](void* object) { return detail::is_waiting(heap_, object); });
    }
    if (!cycle_.set.empty()) {
        heap_.collection.pressure = false;
        return begin(CollectionReason::scope_end);
    }
    set_mode(BarrierMode::idle);
}

/// The end of a scope with keep() that had to wait. Not past an enclosing one that waits too: what refers to that one's
/// objects from inside was never recorded.
void Engine::merge(Region& region) {
    pay(region);
    detail::unlink_region(heap_.first_condemned, region);
    Region& into = *region.enclosing;
    --into.pending;
    into.start_in_poll = into.start_in_poll || region.start_in_poll;
    detail::note_merged(heap_, region, into);
    region.counters->kept += 1;
    detail::merge_region(heap_, region, into);
    if (heap_.regions.state(into) != RegionState::open) detail::retire_cursors(heap_, into);
}

void Engine::begin_pressure(Region& outermost, CollectionReason reason) {
    PERFLOC_ASSERT(phase() == CyclePhase::idle);
    const std::uint64_t key = heap_.regions.record(outermost).key;
    heap_.for_each_open_region([&](Region& region) {
        if (&outermost != heap_.root && !detail::key_encloses(key, heap_.regions.record(region).key)) return;
        heap_.regions.record(region).looked_at = 1;
        cycle_.set.push_back(&region);
    });
    if (cycle_.set.front() == heap_.root) std::rotate(cycle_.set.begin(), cycle_.set.begin() + 1, cycle_.set.end());
    for (Region* const region : cycle_.set) {
        // Spares would hand their old spans out.
        const Region* const spare = region->spare_region();
        if (spare != nullptr && heap_.regions.record(*spare).looked_at == 0) detail::drop_spares(heap_, *region);
        detail::retire_cursors(heap_, *region);
        region->first_span = 0;
        region->start = nullptr;
        region->attention |= detail::kMoreSpans | detail::kPending | detail::kAttend;
    }
    add_waiting();
    heap_.collection.pressure = true;
    begin(reason);
    attend_current();
}

/// To the set of open scopes, what has ended in them and waits: references from there to what encloses it are not recorded. As
/// with a scope that ends while it is looked at (protocol P6), its survivors stay in it, and its own collection comes later.
void Engine::add_waiting() {
    std::vector<Region*> inner;
    for (Region* const region : waiting_) {
        if (heap_.regions.record(open_ancestor(heap_, *region)).looked_at == 0) continue;
        region->start_in_poll = true;
        region->first_span = 0;  // it may be cut, or go
        region->start = nullptr;
        owe(*region);
        inner.push_back(region);
    }
    cycle_.set.insert(cycle_.set.begin(), inner.begin(), inner.end());
    heap_.collection.counts.waiting_in_set += inner.size();
}

void Engine::owe(Region& region) {
    if (!std::exchange(region.owed, true)) ++owed_;
}
void Engine::pay(Region& region) {
    if (std::exchange(region.owed, false)) --owed_;
}

/// The set is fixed; what it is made of so far is frozen. O(regions in it).
void Engine::begin(CollectionReason reason) {
    detail::CollectionState& collection = heap_.collection;
    cycle_.number = ++collection.cycle;
    cycle_.parked_before = collection.parked;
    collection.start_generation = heap_.pool.generation();
    collection.candidates_known = false;
    heap_.recent_slots.clear();
    cycle_.totals = {};
    cycle_.compact = reason == CollectionReason::trim || reason == CollectionReason::soft_limit;
    cycle_.most_slots = most_slots_fixed(heap_.options.pauses.max);
    cycle_.piece_grains = grains_at_once(heap_.options.pauses.max);
    for (Region* const region : cycle_.set) {
        cycle_.totals.before_bytes += region->pages * detail::kPageBytes;
        freeze(*region);
    }
    take_shades();
    collection.unsorted_shades = cycle_.totals.before_bytes / kBytesPerShade;
    // The scope that encloses the others comes last.
    heap_.events.collection_begun(reason, cycle_.set.back()->label, cycle_.set.size(), cycle_.totals.before_bytes);
    gather_.begin();
    cycle_.phase.enter(CyclePhase::gather);
    set_mode(BarrierMode::gathering);
}

/// Protocol P1: what was shaded for those of the set while they waited. Where others go on waiting, these may adopt it, and it
/// is shaded for them too.
void Engine::take_shades() {
    detail::CollectionState& collection = heap_.collection;
    if (waiting_.empty()) return collection.shades.splice(collection.waiting_shades);
    collection.waiting_shades.filter(heap_.chunks, [&](void* object) {
        const bool taken = detail::in_set(heap_, object);
        if (taken) {
            collection.shades.push(heap_.chunks, object);
            collection.settling_shades.push(heap_.chunks, object);
        }
        return !taken;
    });
}

void Engine::freeze(Region& region) {
    const std::uint64_t region_bytes = region.pages * detail::kPageBytes;
    heap_.regions.record(region).looked_at = 1;
    detail::retire_cursors(heap_, region);  // a region that waited may have received copies
    heap_.pages.splice(region.condemned, region);
    if (cycle_.pressure()) region.absorbed_before = std::exchange(region.absorbed, nullptr);
    region.frozen = region.incoming.take();
    for (detail::RememberedSet* const set : {&region.incoming, &region.own_slots}) {
        set->expect(std::min<std::uint64_t>(region_bytes / kBytesPerRecord, kMostRepetitions));
    }
    detail::splice_handles(region.walked, region.handles);
    {
        const std::lock_guard guard(heap_.global_handles);
        detail::splice_handles(region.walked_global, region.global);
    }
    region.condemned_cleanups.splice(region.cleanups);
    region.root_lineage = 0;
    region.promoted_bytes = region.promoted_objects = 0;
}

void Engine::set_mode(BarrierMode mode) {
    heap_.collection.mode = mode;
    {
        const std::lock_guard guard(heap_.global_handles);
        heap_.keep_dropped_globals = heap_.collection.gathers();
    }
    detail::update_watch(heap_);
}

/// The ends of the scopes that are likely to end next give the collection slices.
void Engine::attend_current() {
    if (detail::hot.mutator == nullptr || detail::hot.mutator->heap != &heap_) return;
    Region& current = *heap_.current_region();
    current.attention |= detail::kAttend;
    if (current.spare != nullptr) current.spare->attention |= detail::kAttend;
}

// --- slices ----------------------------------------------------------------------------------------------------------

void Engine::poll() {
    ++heap_.collection.polls;
    detail::drop_ghosts(heap_, kGhostsAtOnce);
    forget_shades();
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
    if (in_poll && waits_for_poll()) piece.deadline = Deadline::once(slice_of(heap_.options.pauses.max));
    return advance(piece);
}

/// One phase, or a part of it. False when nothing more can be done in this slice.
bool Engine::advance(Slice& slice) {
    Deadline& deadline = slice.deadline;
    switch (phase()) {
        case CyclePhase::idle:
            if (waiting_.empty() || hold_) return false;
            begin_waiting(slice.in_poll);
            return phase() != CyclePhase::idle;
        case CyclePhase::gather:
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
            if (reap_.clear(deadline)) cycle_.phase.enter(CyclePhase::destroy);
            return true;
        case CyclePhase::destroy:
            if (!slice.may_destroy && reap_.has_cleanups()) return false;
            destroy(slice);
            return true;
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
            if (follow_.step(deadline)) end();
            return true;
    }
    return false;
}

void Engine::destroy(Slice& slice) {
    const bool done = reap_.destroy(slice.deadline);
    // What destructors shade is for raw pointers, of which a poll leaves none; and what it settles next may move.
    if (slice.in_poll) forget_shades();
    if (!done) return;
    settler_.begin();
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

/// What was told until now the collector looks at; what is written from now on is told again. O(regions).
void Engine::hand_over_slots() {
    if (!cycle_.pressure()) return;  // those of ended regions are followed later, and are few
    for (Region* const region : cycle_.set) {
        detail::ChunkList<IncomingSlot> own = region->own_slots.take();
        cycle_.told.splice(own);
    }
    heap_.recent_slots.clear();
}

void Engine::end() {
    cycle_.set.clear();
    cycle_.roots.clear(heap_.chunks);
    cycle_.told.clear(heap_.chunks);
    cycle_.candidates.clear();
    cycle_.slot_chunks.reset();
    heap_.collection.candidates_known = false;
    heap_.totals.scope_collections += 1;
    const CycleTotals& totals = cycle_.totals;
    const std::uint64_t live = totals.adopted_bytes + totals.evacuated_bytes;
    heap_.events.collection_ended({.before_bytes = totals.before_bytes,
                                   .freed_bytes = totals.before_bytes - std::min(totals.before_bytes, live),
                                   .promoted_bytes = cycle_.pressure() ? 0 : live,
                                   .evacuated_bytes = totals.evacuated_bytes,
                                   .adopted_bytes = totals.adopted_bytes,
                                   .live_bytes = live,
                                   .destructors = totals.destructors,
                                   .evacuation_ns_per_byte = settler_.costs().per_byte(),
                                   .evacuation_ns_per_slot = settler_.costs().per_slot()});
    if (cycle_.pressure()) ++heap_.collection.counts.pressure_cycles;
    cycle_.phase.enter(CyclePhase::idle);
    set_mode(BarrierMode::idle);
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
            return waiting_.empty();  // the others wait for a poll
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
