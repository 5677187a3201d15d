#include "gc/scope_collection.hpp"

#include "gc/mark/marker.hpp"
#include "gc/policy/scope_end_policy.hpp"
#include "gc/settle/promote.hpp"
#include "gc/settle/settle.hpp"
#include "gc/sweep/destructors.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"
#include "runtime/clock.hpp"
#include "runtime/scope_tree.hpp"

namespace perfloc::gc {

using detail::RegionState;

namespace {

struct OneRegion {
    const detail::PageTable& pages;
    std::uint32_t region;
    bool contains(const void* target) const { return pages.region_at(target) == region; }
    static void marked(const void*, std::size_t) {}
};

/// Protocol P15, P3: where survivors go. A destructor may end such a scope, which waits then until they have come.
class Destinations {
public:
    Destinations(const detail::List<Root>& roots, detail::List<Region*>& list) : list_(list) {
        for (const Root& root : roots) {  // by destination
            if (!list.empty() && list.back() == root.destination) continue;
            list.push_back(root.destination);
            ++root.destination->pending;
            root.destination->attention |= detail::kPending;
        }
    }
    ~Destinations() {
        for (Region* const destination : list_) --destination->pending;
        list_.clear();
    }
    Destinations(const Destinations&) = delete;
    Destinations& operator=(const Destinations&) = delete;

private:
    detail::List<Region*>& list_;
};

}  // namespace

void ScopeCollection::run(Region& ended, Region& enclosing, ScopeReport& report) {
    run(ended, enclosing, heap_.events.now(), report);
}

void ScopeCollection::run(Region& ended, Region& enclosing, const detail::Moment& start, ScopeReport& report) {
    if (promote_if_small(ended, enclosing, report)) {
        close(ended, report, PauseCause::promotion, start);
    } else {
        collect(ended, enclosing, start, report);
    }
}

/// A scope that never allocated may still be named: by nothing alive.
bool ScopeCollection::promote_if_small(Region& ended, Region& enclosing, ScopeReport& report) {
    if (!inline_is_possible(ended, report.allocated_bytes)) return false;
    find_roots(heap_, ended, enclosing, roots_);
    if (!room_for_copies(report.allocated_bytes)) return false;
    promote(ended, report);
    return true;
}

void ScopeCollection::collect(Region& ended, Region& enclosing, const detail::Moment& start, ScopeReport& report) {
    phase_.begin(heap_.events.collection_begun(CollectionReason::scope_end, ended.label, 1, report.allocated_bytes));
    detail::stamp_absorbed(heap_, ended);
    detail::retire_cursors(heap_, ended);
    ended.enclosing = &enclosing;  // open_ancestor() may ask, where a destructor ends a scope
    heap_.regions.close(ended, RegionState::condemned);
    phase_.enter(Phase::mark);
    condemn_spans(heap_, marks_, ended);
    find_roots(heap_, ended, enclosing, roots_);
    const PauseCause cause = roots_.empty() ? PauseCause::destructors : PauseCause::collection;
    mark(ended);
    clear_weak_handles(ended);
    phase_.enter(Phase::destroy);
    {
        const Destinations pending(roots_, destinations_);
        destroy(ended);
        phase_.enter(Phase::settle);
        settle(ended, report);
    }
    phase_.enter(Phase::idle);
    heap_.totals.scope_collections += 1;
    close(ended, report, cause, start);
    tell_ended(report);
}

/// What survives is elsewhere.
void ScopeCollection::close(Region& ended, ScopeReport& report, PauseCause cause, const detail::Moment& start) {
    detail::release_region(heap_, ended);
    report.released_bytes = report.allocated_bytes - std::min(report.allocated_bytes, report.promoted_bytes);
    report.pause = heap_.events.pause(cause, start, report.allocated_bytes, report.promoted_bytes, ended.label);
}

bool ScopeCollection::run_if_few(Region& ended, Region& enclosing, ScopeReport& report) {
    const std::chrono::nanoseconds budget = heap_.options.pauses.max;
    const bool may_copy = ended.cleanups.empty();
    const bool may_sweep = sweep_at_once(
        {.bytes = report.allocated_bytes, .cleanups = count_destructors(ended, most_destructors(budget))}, budget);
    detail::Surveys& surveys = ended.counters->surveys;
    if (ended.absorbed != nullptr || !(may_copy || may_sweep)) return false;
    if (phase_.now() != Phase::idle || !surveys.due()) return false;  // not in a destructor that this very phase runs
    if (!survey_.few_roots(ended, budget)) {
        surveys.found(false);
        return false;
    }
    const detail::Moment start = heap_.events.now();
    find_roots(heap_, ended, enclosing, roots_);
    const bool few = survey_.few_survivors(ended, roots_, budget);
    const bool copies = few && may_copy && survey_.movable() && room_for_copies(survey_.found().bytes);
    const bool sweeps = few && may_sweep && !copies;
    surveys.found(copies || sweeps);
    if (copies) {
        promote(ended, report);
        close(ended, report, PauseCause::promotion, start);
    } else if (sweeps) {
        run(ended, enclosing, start, report);
    } else {
        report.pause = heap_.events.pause(PauseCause::promotion, start, survey_.found().bytes, 0, ended.label);
        return false;
    }
    ++heap_.collection.counts.few_survived;
    return true;
}

/// Small enough for the budget at its worst, and nothing fixed in it.
bool ScopeCollection::inline_is_possible(const Region& ended, std::uint64_t bytes) const {
    EndedScope scope{.bytes = bytes,
                     .has_cleanups = !ended.cleanups.empty(),
                     .has_fixtures = !ended.large.empty(),
                     .slots = ended.incoming.size()};
    if (scope.has_cleanups || scope.has_fixtures || ended.absorbed != nullptr) return false;
    if (!promote_inline(scope, heap_.options.pauses.max)) return false;
    const auto is_fixture = [](const Span& span) { return span.kind != detail::SpanKind::movable || span.pins != 0; };
    if ((ended.attention & detail::kMoreSpans) == 0) {
        return ended.first_span == 0 || !is_fixture(heap_.pages.span(ended.first_span));
    }
    for_each_span(heap_, ended, [&](std::uint32_t, const Span& span) {
        if (is_fixture(span)) scope.has_fixtures = true;
    });
    return !scope.has_fixtures;
}

/// Each destination's last span may be left nearly empty. The roots come by destination.
bool ScopeCollection::room_for_copies(std::uint64_t bytes) {
    if (roots_.empty()) return true;
    const Region& to = *roots_.front().destination;
    if (&to == roots_.back().destination && bytes <= static_cast<std::uint64_t>(to.limit - to.cursor)) return true;
    std::size_t destinations = 1;
    for (std::size_t i = 1; i < roots_.size(); ++i) destinations += roots_[i].destination != roots_[i - 1].destination;
    return heap_.pool.has_room(bytes + bytes / 4 + destinations * detail::kBlockBytes);
}

void ScopeCollection::promote(Region& ended, ScopeReport& report) {
    const Promoted promoted = InlinePromotion(heap_, ended, stack_).run(roots_);
    report.promoted_bytes = promoted.bytes;
    ended.counters->promoted_objects += promoted.objects;
    heap_.totals.promotions += 1;
}

/// Protocol P7. The roots come outermost first; what each group reaches first goes to its destination, and so does the
/// whole span that it is in.
void ScopeCollection::mark(Region& ended) {
    OneRegion set{heap_.pages, ended.index};
    Marker marker(heap_, marks_, set);
    for (std::size_t i = 0; i < roots_.size();) {
        Region& destination = *roots_[i].destination;
        for (; i < roots_.size() && roots_[i].destination == &destination; ++i) marker.visit_root(roots_[i].target());
        while (!marker.drain()) {
            for_each_span(heap_, ended, [&](std::uint32_t page, const Span& span) {
                for_each_marked(marks_, heap_.pages, page, span,
                                [&](void* object, Header header, std::size_t) { marker.rescan(object, header); });
            });
        }
        count_live(heap_, marks_, ended, destination.index);
    }
}

void ScopeCollection::clear_weak_handles(Region& ended) {
    for_each_weak(heap_, ended, [&](HandleNode& node, bool global) {
        if (!marks_.test(static_cast<char*>(node.object) - kHeaderBytes)) clear_weak(node, global);
    });
}

void ScopeCollection::destroy(Region& ended) {
    dead_.clear();
    result_ = {};
    take_dead(heap_, marks_, ended, dead_);
    if (dead_.empty()) return;
    result_.destructors = dead_.size();
    detail::List<void*> dead(heap_.chunks);
    dead.swap(dead_);  // a destructor may end a scope, which comes here again
    const bool attached = detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap_;
    Region* const current = attached ? heap_.current_region() : nullptr;
    if (attached) detail::load_hot(*current);
    run_destructors(heap_, dead);
    if (attached) detail::store_hot();
    dead.clear();
    dead_.swap(dead);
}

void ScopeCollection::settle(Region& ended, ScopeReport& report) {
    Settlement settlement(heap_, marks_, ended);
    settlement.run();
    report.promoted_bytes = settlement.survived_bytes();
    ended.counters->promoted_objects += settlement.survived_objects();
    result_.evacuated_bytes = settlement.evacuated_bytes();
}

void ScopeCollection::tell_ended(const ScopeReport& report) {
    result_.before_bytes = report.allocated_bytes;
    result_.freed_bytes = report.released_bytes;
    result_.promoted_bytes = result_.live_bytes = report.promoted_bytes;
    result_.adopted_bytes = report.promoted_bytes - result_.evacuated_bytes;
    heap_.events.collection_ended(phase_.cycle(), result_);
}

}  // namespace perfloc::gc
