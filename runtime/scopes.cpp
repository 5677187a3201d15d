#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/scope_tree.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/scope.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <utility>

/// The slow paths of a lexical scope's begin and end.
namespace perfloc::detail {

namespace {

std::string name_of(const RegionHot& region) { return LabelTable::name(region.label); }

/// Under `full` and `none` a scope's end is no more than a merge: the scope gets no memory of its own, only its label's
/// account. Its objects go to the region that is current.
Region& begin_nominal(HeapCore& heap, const Label& label) {
    MutatorCore& mutator = *heap.mutator();
    Region* const region = heap.regions.create(RegionTable::kOwnLineage, mutator.nominal_top);
    if (region == nullptr) {
        throw OutOfMemory(fmt::format("perfloc: no room for one more scope (\"{}\")", LabelTable::name(label)));
    }
    store_hot();
    region->label = label;
    region->counters = &heap.labels.find(label);
    region->nominal_of = heap.current_region();
    region->filled_bytes = allocated_bytes(heap, *region->nominal_of);
    region->attention = kAlways;
    mutator.nominal_top = region;
    return *region;
}

ScopeReport end_nominal(HeapCore& heap, Region& region) {
    heap.mutator()->nominal_top = region.parent_region();
    store_hot();
    const std::uint64_t now = allocated_bytes(heap, *region.nominal_of);
    ScopeReport report;
    report.allocated_bytes = now - std::min(now, region.filled_bytes);
    report.promoted_bytes = report.allocated_bytes;
    region.counters->slow_ended += 1;
    region.counters->slow_bytes += report.allocated_bytes;
    region.counters->kept += 1;
    heap.regions.recycle(region);
    return report;
}

/// Null where there is none.
const RegionHot* innermost(const HeapCore& heap, const Region& like) {
    return like.nominal_of != nullptr ? heap.mutator()->nominal_top : hot.region;
}

std::string out_of_order(const Region& region, const RegionHot* innermost) {
    return fmt::format("scope \"{}\" ends out of order: \"{}\" is the innermost one", name_of(region),
                       innermost != nullptr ? name_of(*innermost) : "(none)");
}

std::string ends_too_early(const Region& region) {
    return fmt::format("scope \"{}\" ends while a constructor of one of its objects, or a destructor, runs",
                       name_of(region));
}

ScopeReport end_listened(HeapCore& heap, Region& region) {
    store_hot();
    Region& parent = *region.parent_region();
    freeze_before_change(heap, parent);  // what is current is not to be frozen any more
    load_hot(parent);
    const ScopeReport report = end_region(heap, region, parent);
    load_hot(parent);
    return report;
}

ScopeReport end_checked(HeapCore& heap, Region& region) {
    return region.nominal_of != nullptr ? end_nominal(heap, region) : end_listened(heap, region);
}

}  // namespace

RegionHot* begin_scope_slow(Label label) {
    if (hot.mutator == nullptr) {
        throw AttachError(
            fmt::format("perfloc: scope \"{}\" begins on a thread without a mutator", LabelTable::name(label)));
    }
    HeapCore& heap = *hot.mutator->heap;
    if (!heap.listens()) return &begin_nominal(heap, label);
    store_hot();
    Region& region = open_region(heap, as_region(*hot.region), label);
    load_hot(region);
    return &region;
}

void end_scope_slow(RegionHot* hot_region) noexcept {
    Region& region = as_region(*hot_region);
    PERFLOC_CHECK(hot.mutator != nullptr, "scope \"{}\" ends on a thread without a mutator", name_of(region));
    HeapCore& heap = *hot.mutator->heap;
    const RegionHot* const top = innermost(heap, region);
    PERFLOC_CHECK(top == &region, "{}", out_of_order(region, top));
    PERFLOC_CHECK(region.constructing == 0, "{}", ends_too_early(region));
    end_checked(heap, region);
}

ScopeReport end_scope_now(RegionHot*& hot_region) {
    if (hot_region == nullptr) throw ScopeError("perfloc: a scope is ended twice");
    Region& region = as_region(*hot_region);
    if (hot.mutator == nullptr) {
        throw ScopeError(fmt::format("perfloc: scope \"{}\" ends on a thread without a mutator", name_of(region)));
    }
    HeapCore& heap = *hot.mutator->heap;
    if (const RegionHot* const top = innermost(heap, region); top != &region) {
        throw ScopeError("perfloc: " + out_of_order(region, top));
    }
    if (region.constructing != 0) throw ScopeError("perfloc: " + ends_too_early(region));
    hot_region = nullptr;
    return end_checked(heap, region);
}

void keep_scope(RegionHot& region) noexcept { region.attention |= kKeep; }

void trim_scope(RegionHot& hot_region) {
    if (hot.mutator == nullptr) {
        throw AttachError(
            fmt::format("perfloc: scope \"{}\" is trimmed on a thread without a mutator", name_of(hot_region)));
    }
    HeapCore& heap = *hot.mutator->heap;
    if (!heap.owns(as_region(hot_region))) {
        throw ScopeError(fmt::format("perfloc: scope \"{}\" of another heap is trimmed", name_of(hot_region)));
    }
    if (heap.listens()) heap.collector->trim(as_region(hot_region));
}

void expect_bytes(RegionHot& hot_region, std::size_t bytes) {
    Region& region = as_region(hot_region);
    if (region.nominal_of != nullptr || hot.mutator == nullptr || region.counters == nullptr) return;
    HeapCore& heap = *hot.mutator->heap;
    if (!heap.owns(region)) {
        throw ScopeError(
            fmt::format("perfloc: bytes are expected in scope \"{}\" of another heap", name_of(hot_region)));
    }
    const std::size_t pages = (std::min(bytes, kBlockBytes) + kPageBytes - 1) / kPageBytes;
    const auto wanted = static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(1, pages)));
    region.counters->shape_pages = std::max(region.counters->shape_pages, wanted);
    const bool current = &region == hot.region;
    if (current) store_hot();
    freeze_before_change(heap, region);
    const bool untouched = region.cursor == region.start && region.spans() <= 1 && region.pinned_span == 0;
    if (untouched && (region.first_span == 0 || heap.pages.span(region.first_span).pages < wanted)) {
        if (region.first_span != 0) {
            const std::uint32_t page = heap.pages.pop(region.runs);
            region.first_span = region.current_span = 0;
            region.start = region.cursor = region.limit = nullptr;
            region.span_bytes = 1;
            heap.pool.release_span(region, page);
        }
        refill(heap, region, 1);  // at the limit: the first allocation will say so
    }
    if (current) load_hot(region);
}

}  // namespace perfloc::detail
