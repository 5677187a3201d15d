#include "gc/full_collection.hpp"

#include "gc/compact/compactor.hpp"
#include "gc/mark/marker.hpp"
#include "gc/roots.hpp"
#include "gc/sweep/destructors.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"
#include "runtime/clock.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <climits>

namespace perfloc::gc {

namespace {

struct WholeHeap {
    static bool contains(const void*) { return true; }
    static void marked(const void*, std::size_t) {}
};

}  // namespace

void FullCollection::run(bool move_all, CollectionReason reason) {
    const detail::Moment start = heap_.events.now();
    detail::Stopwatch part;
    report_ = {};
    report_.before_bytes = heap_.pool.used_bytes();
    find_regions();
    phase_.begin(heap_.events.collection_begun(reason, Label("(heap)"), regions_.size(), report_.before_bytes));

    phase_.enter(Phase::mark);
    for (Region* const region : regions_) {
        detail::stamp_absorbed(heap_, *region);
        condemn_spans(heap_, marks_, *region);
    }
    mark();
    report_.mark = part.lap();
    clear_weak_handles();
    for (Region* const region : regions_) report_.live_bytes += count_live(heap_, marks_, *region, region->index);
    report_.sweep = part.lap();

    phase_.enter(Phase::destroy);
    destroy();
    report_.destructors = part.lap();

    phase_.enter(Phase::compact);
    Compactor compactor(heap_, marks_, regions_, move_all);
    compactor.run();
    report_.spans_slid = compactor.slid();
    report_.spans_stayed = compactor.stayed();
    report_.compact = part.lap();
    report_.after_bytes = heap_.pool.used_bytes();
    phase_.enter(Phase::idle);

    heap_.last_full = report_;
    heap_.totals.full_collections += 1;
    heap_.events.pause(PauseCause::full, start, report_.before_bytes, report_.live_bytes, Label("(heap)"));
    heap_.events.collection_ended(
        phase_.cycle(), {.before_bytes = report_.before_bytes,
                         .freed_bytes = report_.before_bytes - std::min(report_.before_bytes, report_.after_bytes),
                         .live_bytes = report_.live_bytes,
                         .destructors = destroyed_});
}

void FullCollection::find_regions() {
    regions_.clear();
    detail::release_dropped(heap_, UINT_MAX);
    heap_.for_each_open_region([&](Region& region) {
        if (region.nominal_of == nullptr) regions_.push_back(&region);
    });
    std::rotate(regions_.begin(), regions_.begin() + 1, regions_.end());  // the root was first and comes last
}

void FullCollection::mark() {
    WholeHeap all;
    Marker marker(heap_, marks_, all);
    for (Region* const region : regions_) {
        for_each_handle(region->handles, [&](const HandleNode& node) { marker.visit_root(node.object); });
        const std::lock_guard guard(heap_.global_handles);
        for_each_handle(region->global, [&](const HandleNode& node) { marker.visit_root(node.object); });
    }
    while (!marker.drain()) {
        for (Region* const region : regions_) {
            for_each_span(heap_, *region, [&](std::uint32_t page, const Span& span) {
                for_each_marked(marks_, heap_.pages, page, span,
                                [&](void* object, Header header, std::size_t) { marker.rescan(object, header); });
            });
        }
    }
    report_.live_objects = marker.objects();
}

void FullCollection::clear_weak_handles() {
    for (Region* const region : regions_) {
        for_each_weak(heap_, *region, [&](HandleNode& node, bool global) {
            if (!marks_.test(static_cast<char*>(node.object) - kHeaderBytes)) clear_weak(node, global);
        });
    }
}

/// Innermost regions first, newest first in each. What destructors make goes to new spans, which are all alive.
void FullCollection::destroy() {
    detail::List<void*> dead(heap_.chunks);
    for (Region* const region : regions_) take_dead(heap_, marks_, *region, dead);
    destroyed_ = dead.size();
    if (dead.empty()) return;
    for (Region* const region : regions_) detail::retire_cursors(heap_, *region);
    const bool attached = detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap_;
    if (attached) detail::load_hot(*heap_.current_region());
    heap_.whole_heap_destroys = true;
    run_destructors(heap_, dead);
    heap_.whole_heap_destroys = false;
    PERFLOC_CHECK(heap_.first_condemned == nullptr, "internal: a scope waits while the whole heap is collected");
    if (attached) detail::store_hot();
    find_regions();  // destructors may have begun and ended scopes
    for (Region* const region : regions_) {
        detail::stamp_absorbed(heap_, *region);
        detail::write_tops(heap_, *region);
    }
}

}  // namespace perfloc::gc
