#include "gc/cycle/engine.hpp"

#include "gc/policy/slice_policy.hpp"
#include "gc/roots.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/handles.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace perfloc::gc {

using detail::BarrierMode;
using detail::RegionState;

namespace {

/// Of what is collected, a 128th may be used for shades that are not looked at when they are made, and a 64th for records that may
/// be repetitions.
constexpr std::uint64_t kBytesPerShade = 1024, kBytesPerRecord = 1024;

constexpr std::size_t kNested = 8;

/// Repetitions are walked in slices in the end, and to begin with many of them at once is a pause.
constexpr std::uint64_t kMostRepetitions = 32 * 1024;

std::size_t most_repetitions(std::uint64_t bytes) { return std::min(bytes / kBytesPerRecord, kMostRepetitions); }

}  // namespace

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
    ended.waiting_pages = ended.pages;
    ended.counted_bytes = detail::allocated_bytes(heap_, ended);
    heap_.collection.waiting_bytes += ended.waiting_pages * detail::kPageBytes;
    detail::CollectionCounts& counts = heap_.collection.counts;
    ended.condemned_as = ++counts.condemned;
    if (phase() != CyclePhase::idle) ++counts.condemned_waiting;
    if (looked_at != 0) {
        ++counts.condemned_in_set;
        owe(ended);
    }
    const bool may_begin = !ended.start_in_poll || (ended.attention & detail::kKeep) != 0;
    none_ready_ = none_ready_ && !may_begin;
    if (phase() == CyclePhase::idle && !hold_ && !none_ready_) begin_waiting({false, most_regions()});
    set_mode(heap_.collection.mode);
    attend_current();
}

/// Protocol P2, P3: what waits is the next set, but those whose inner scopes are not in it; of many, as many as a slice can choose.
void Engine::begin_waiting(Turn turn) {
    detail::List<Region*> rest(heap_.chunks);
    bool merged = false;
    // What encloses them as well: what survives in a nest would else be looked at again by each collection of a part of it.
    std::size_t nested = turn.most > SIZE_MAX / kNested ? SIZE_MAX : turn.most * kNested;
    const auto look_at = [&](Waiting& list) {
        for (; !list.empty(); list.pop_front()) {
            Region& region = *list.front();
            std::size_t& left = turn.most != 0 || region.selected == 0 ? turn.most : nested;
            if (left == 0) break;
            --left;
            if (take(region, turn.in_poll)) continue;
            if ((region.attention & detail::kKeep) != 0 && region.pending == 0) {
                merge(region);
                merged = true;
            } else {
                rest.push_back(&region);
            }
        }
    };
    if (turn.in_poll) look_at(waiting_for_poll_);
    look_at(waiting_);
    for (const Region* const region : cycle_.set) region->enclosing->selected = 0;
    const bool any = !cycle_.set.empty() || merged;
    if (!any && !turn.in_poll) {  // the next look is at those behind them
        waiting_for_poll_.insert(waiting_for_poll_.end(), rest.begin(), rest.end());
    } else {
        Waiting& list = turn.in_poll && !waiting_for_poll_.empty() ? waiting_for_poll_ : waiting_;
        list.insert(list.begin(), rest.begin(), rest.end());
    }
    none_ready_ = !any && !turn.in_poll && waiting_.empty();
    heap_.collection.waiting = static_cast<std::uint32_t>(waiting_for_poll_.size() + waiting_.size());
    // What was shaded for the scopes that were merged may die, and move, before anybody looks at it again.
    if (merged) {
        heap_.collection.waiting_shades.filter(heap_.chunks,
                                               [&](void* object) { return detail::is_waiting(heap_, object); });
    }
    if (!cycle_.set.empty()) {
        heap_.collection.pressure = false;
        std::uint64_t bytes = 0;
        for (const Region* const region : cycle_.set) bytes += region->pages * detail::kPageBytes;
        // The scope that encloses the others comes last.
        return begin(CollectionReason::scope_end, {cycle_.set.back()->label, cycle_.set.size(), bytes});
    }
    set_mode(BarrierMode::idle);
}

/// Into the set, if it may be now and all that has ended in it is.
bool Engine::take(Region& region, bool in_poll) {
    const bool ready = region.selected == region.pending && (region.attention & detail::kKeep) == 0;
    if (!ready || (region.start_in_poll && !in_poll)) return false;
    ++region.enclosing->selected;
    waits_no_more(region);
    cycle_.set.push_back(&region);
    return true;
}

void Engine::owe(Region& region) {
    if (!std::exchange(region.owed, true)) ++owed_;
}

void Engine::waits_no_more(Region& region) {
    heap_.collection.waiting_bytes -= region.waiting_pages * detail::kPageBytes;
    if (std::exchange(region.owed, false)) --owed_;
}

/// The end of a scope with keep() that had to wait. Not past an enclosing one that waits too: what refers to that one's
/// objects from inside was never recorded.
void Engine::merge(Region& region) {
    waits_no_more(region);
    detail::unlink_region(heap_.first_condemned, region);
    Region& into = *region.enclosing;
    --into.pending;
    into.start_in_poll = into.start_in_poll || region.start_in_poll;
    detail::note_merged(heap_, region, into);
    region.counters->kept += 1;
    detail::merge_region(heap_, region, into);
    if (heap_.regions.state(into) != RegionState::open) detail::retire_cursors(heap_, into);
}

/// The set is fixed; what it is made of so far is frozen next, in slices.
void Engine::begin(CollectionReason reason, const Begun& begun) {
    detail::CollectionState& collection = heap_.collection;
    cycle_.number = ++collection.cycle;
    cycle_.parked_before = collection.parked;
    cycle_.parked_at_poll = collection.parked_at_poll;
    collection.start_generation = heap_.pool.generation();
    collection.candidates_known = collection.dead_known = false;
    heap_.recent_slots.clear();
    cycle_.totals = {};
    cycle_.compact = reason == CollectionReason::trim || reason == CollectionReason::soft_limit ||
                     heap_.pool.used_bytes() > heap_.options.soft_limit / 2;
    cycle_.most_slots = most_slots_fixed(longest_slice(heap_.options.pauses));
    cycle_.piece_grains = grains_at_once(longest_slice(heap_.options.pauses));
    for (Region* const region : cycle_.set) heap_.regions.record(*region).looked_at = 1;
    collection.frozen = false;
    next_ended_ = cycle_.set.size();
    (collection.waiting == 0 ? collection.shades : collection.begun_shades).splice(collection.waiting_shades);
    collection.unsorted_shades = begun.bytes / kBytesPerShade;
    collection.open.own_slots.expect(most_repetitions(begun.bytes));
    cycle_.phase.begin(heap_.events.collection_begun(reason, begun.label, begun.regions, begun.bytes));
    gather_.begin();
    cycle_.phase.enter(CyclePhase::gather);
    set_mode(BarrierMode::gathering);
}

/// Protocol P1: what was shaded for those of the set while they waited. Where others go on waiting, these may adopt it, and it
/// is shaded for them too. None of it moves or dies before that is found out, be it in the set or waiting.
bool Engine::sort_shades(Deadline& deadline) {
    detail::CollectionState& collection = heap_.collection;
    while (!collection.begun_shades.empty()) {
        if (deadline.passed()) return false;
        void* const object = collection.begun_shades.pop(heap_.chunks);
        if (detail::in_set(heap_, object)) {
            collection.shades.push(heap_.chunks, object);
            collection.settling_shades.push(heap_.chunks, object);
        } else {
            collection.waiting_shades.push(heap_.chunks, object);
        }
    }
    return true;
}

std::size_t Engine::most_regions() const { return regions_at_once(longest_slice(heap_.options.pauses)); }

void Engine::freeze(Region& region) {
    const std::uint64_t region_bytes = region.pages * detail::kPageBytes;
    cycle_.totals.before_bytes += region_bytes;
    detail::retire_cursors(heap_, region);  // a region that waited may have received copies
    if (heap_.regions.state(region) == RegionState::condemned) {
        // Survivors that came after its end may survive it, too: no label promotes more than it was given.
        const std::uint64_t bytes = detail::allocated_bytes(heap_, region);
        region.counters->slow_bytes += bytes - std::min(bytes, region.counted_bytes);
        region.counted_bytes = bytes;
    }
    heap_.pages.splice(region.condemned, region);
    if (cycle_.pressure()) region.absorbed_before = std::exchange(region.absorbed, nullptr);
    region.frozen = region.incoming.take();
    for (detail::RememberedSet* const set : {&region.incoming, &region.own_slots}) {
        set->expect(most_repetitions(region_bytes));
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

}  // namespace perfloc::gc
