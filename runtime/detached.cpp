#include "runtime/detached.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/scope_tree.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/scope.hpp>

#include <fmt/core.h>

#include <algorithm>

namespace perfloc::detail {

namespace {

HeapCore& heap_of(const Region& region, const char* what) {
    if (hot.mutator == nullptr) {
        throw ScopeError(fmt::format("perfloc: detached scope \"{}\" is {} on a thread without a mutator",
                                     LabelTable::name(region.label), what));
    }
    if (!hot.mutator->heap->owns(region)) {
        throw ScopeError(
            fmt::format("perfloc: detached scope \"{}\" of another heap is {}", LabelTable::name(region.label), what));
    }
    return *hot.mutator->heap;
}

std::string refusal(const Region* region) {
    if (region == nullptr) return "perfloc: a detached scope is ended twice";
    if (region->entered) {
        return fmt::format("perfloc: detached scope \"{}\" is ended while it is entered",
                           LabelTable::name(region->label));
    }
    if (region->constructing != 0) {
        return fmt::format(
            "perfloc: detached scope \"{}\" is ended while a constructor of one of its objects, or a destructor in it, "
            "runs",
            LabelTable::name(region->label));
    }
    return {};
}

ScopeReport end_checked(HeapCore& heap, Region& region) {
    freeze_before_change(heap, region);  // which may look for the next one in the list
    unlink_region(heap.first_detached, region);
    --heap.detached_scopes;
    ScopeReport report;
    if (region.nominal_of != nullptr) {
        region.counters->slow_ended += 1;
        region.counters->slow_bytes += region.nominal_bytes;
        region.counters->kept += 1;
        report.allocated_bytes = report.promoted_bytes = region.nominal_bytes;  // all of it survives, by a merge
        heap.regions.recycle(region);
        return report;
    }
    const bool attached = hot.mutator != nullptr && hot.mutator->heap == &heap;
    if (!attached) return end_region(heap, region, *heap.root);
    Region& current = *heap.current_region();
    store_hot();
    report = end_region(heap, region, current);
    load_hot(current);
    return report;
}

}  // namespace

Region& open_detached(HeapCore& heap, const Label& label) {
    if (heap.mutator() != nullptr && heap.mutator() != hot.mutator) {
        throw AttachError(
            fmt::format("perfloc: detached scope \"{}\" begins on a thread that is not the heap's mutator",
                        LabelTable::name(label)));
    }
    LabelCounters& counters = heap.labels.find(label);  // which may throw: before anything has changed
    Region* const region = new_region(heap, RegionTable::kOwnLineage + 1, heap.root);
    if (region == nullptr) {
        throw OutOfMemory(fmt::format("perfloc: no room for one more scope (\"{}\"): {} regions are in use",
                                      LabelTable::name(label), heap.regions.end() - 1));
    }
    region->label = label;
    region->counters = &counters;
    region->attention = kAlways;
    region->detached = true;
    if (!heap.listens()) region->nominal_of = heap.root;
    link_region(heap.first_detached, *region);
    ++heap.detached_scopes;
    return *region;
}

ScopeReport end_detached(RegionHot*& hot_region) {
    Region* const region = static_cast<Region*>(hot_region);
    if (const std::string why = refusal(region); !why.empty()) throw ScopeError(why);
    HeapCore& heap = heap_of(*region, "ended");
    hot_region = nullptr;
    return end_checked(heap, *region);
}

ScopeReport end_detached_and_wait(RegionHot*& hot_region, std::chrono::nanoseconds timeout) {
    Region* const region = static_cast<Region*>(hot_region);
    if (const std::string why = refusal(region); !why.empty()) throw ScopeError(why);
    HeapCore& heap = heap_of(*region, "ended");
    hot_region = nullptr;
    const auto start = Clock::now();
    const auto until = start + std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24 * 365));
    const Bytes allocated = allocated_bytes(heap, *region);
    ScopeReport settled;
    settled.settled = false;
    region->report_to = &settled;
    ScopeReport report = end_checked(heap, *region);  // which may give the collection a slice that ends it
    if (report.settled) return report;
    Region& current = *heap.current_region();
    store_hot();
    while (!settled.settled && Clock::now() < until && hot.quiet == 0 && hot.mutator->no_pause == 0) {
        if (heap.collector->collect_until(until)) break;
    }
    load_hot(current);
    if (settled.settled) {
        settled.pause = Clock::now() - start;
        settled.allocated_bytes = allocated;
        settled.released_bytes = allocated - std::min(allocated, settled.promoted_bytes);
        return settled;
    }
    region->report_to = nullptr;  // still condemned
    report.pause = Clock::now() - start;
    return report;
}

void abandon_detached(RegionHot*& hot_region) noexcept {
    Region* const region = static_cast<Region*>(std::exchange(hot_region, nullptr));
    if (const std::string why = refusal(region); !why.empty()) fail(why.substr(std::string_view("perfloc: ").size()));
    PERFLOC_CHECK(hot.mutator != nullptr, "detached scope \"{}\" is ended on a thread without a mutator",
                  LabelTable::name(region->label));
    PERFLOC_CHECK(hot.mutator->heap->owns(*region), "detached scope \"{}\" is ended by a mutator of another heap",
                  LabelTable::name(region->label));
    end_checked(*hot.mutator->heap, *region);
}

void enter_detached(RegionHot* hot_region, RegionHot** before) {
    Region* const region = static_cast<Region*>(hot_region);
    if (region == nullptr) throw ScopeError("perfloc: a detached scope is entered after its end");
    heap_of(*region, "entered");
    if (region->entered) {
        throw ScopeError(
            fmt::format("perfloc: detached scope \"{}\" is entered twice", LabelTable::name(region->label)));
    }
    if (region->nominal_of != nullptr) {
        region->entered = true;
        store_hot();
        region->filled_bytes = allocated_bytes(*hot.mutator->heap, as_region(*hot.region));
        return;
    }
    freeze_before_change(*hot.mutator->heap, *region);
    *before = hot.region;
    region->entered_from = static_cast<Region*>(hot.region);
    region->entered = true;
    store_hot();
    load_hot(*region);
}

void leave_detached(RegionHot* hot_region, RegionHot* before) noexcept {
    Region& region = as_region(*hot_region);
    if (region.nominal_of != nullptr) {
        region.entered = false;
        store_hot();
        const std::uint64_t now = allocated_bytes(*hot.mutator->heap, as_region(*hot.region));
        region.nominal_bytes += now - std::min(now, region.filled_bytes);
        return;
    }
    PERFLOC_CHECK(hot.region == &region, "detached scope \"{}\" is left while scope \"{}\" is open in it",
                  LabelTable::name(region.label), LabelTable::name(hot.region->label));
    store_hot();
    freeze_before_change(*hot.mutator->heap, as_region(*before));
    region.entered = false;
    region.entered_from = nullptr;
    load_hot(as_region(*before));
}

void ended_scope() { throw ScopeError("perfloc: an object is made in a scope that has ended"); }

}  // namespace perfloc::detail
