#include "runtime/heap_core.hpp"
#include "runtime/utilization.hpp"

#include <perfloc/stats.hpp>

namespace perfloc {

const PauseHistogram& Stats::pauses() const { return heap_->pauses.all(); }
const PauseHistogram& Stats::pauses(PauseCause cause) const { return heap_->pauses.of(cause); }
std::vector<PauseEvent> Stats::last_pauses() const { return heap_->pauses.last(); }

double Stats::mmu(std::chrono::nanoseconds window) const {
    return detail::minimum_utilization(heap_->pauses.last(), window);
}

std::uint64_t Stats::slice_overruns() const {
    std::uint64_t all = 0;
    for (const auto& of_cause : heap_->totals.slice_overruns) all += of_cause.load(std::memory_order_relaxed);
    return all;
}

std::uint64_t Stats::slice_overruns(PauseCause cause) const {
    return heap_->totals.slice_overruns[static_cast<std::size_t>(cause)].load(std::memory_order_relaxed);
}

std::vector<LabelStats> Stats::labels() const {
    std::vector<LabelStats> all = heap_->labels.report();
    const auto add_open = [&](const detail::Region& region) {
        if (region.counters == nullptr) return;
        const std::string name = detail::LabelTable::name(region.label);
        for (LabelStats& stats : all) {
            if (stats.name == name) ++stats.begun;
        }
    };
    heap_->for_each_open_region(add_open);
    if (detail::hot.mutator != nullptr && detail::hot.mutator == heap_->mutator()) {
        for (const auto* r = detail::hot.mutator->nominal_top; r != nullptr; r = r->parent_region()) add_open(*r);
    }
    return all;
}

SystemCalls Stats::system_calls() const { return heap_->memory.system_calls(); }
Bytes Stats::reserved_bytes() const { return heap_->memory.bytes(); }
Bytes Stats::limit_bytes() const { return heap_->pool.limit_bytes(); }
Bytes Stats::committed_bytes() const { return heap_->pool.committed_bytes(); }
Bytes Stats::peak_committed_bytes() const { return heap_->pool.peak_committed_bytes(); }
Bytes Stats::prefaulted_bytes() const { return heap_->pool.prefaulted_bytes(); }
Bytes Stats::used_bytes() const { return heap_->pool.used_bytes(); }
Bytes Stats::metadata_bytes() const { return heap_->chunks.bytes(); }

Bytes Stats::released_bytes() const {
    Bytes bytes = 0;
    for (const LabelStats& label : heap_->labels.report()) bytes += label.released_bytes;
    return bytes;
}

Bytes Stats::promoted_bytes() const { return heap_->totals.promoted_bytes; }

std::uint64_t Stats::scopes_released() const { return heap_->totals.scopes_released + heap_->labels.fast_ended(); }

std::uint64_t Stats::promotions() const { return heap_->totals.promotions; }
std::uint64_t Stats::scope_collections() const { return heap_->totals.scope_collections; }
std::uint64_t Stats::full_collections() const { return heap_->totals.full_collections; }
FullCollectionReport Stats::last_full() const { return heap_->last_full; }
std::uint64_t Stats::lost_handles() const { return heap_->totals.lost_handles; }
std::uint64_t Stats::stale_words() const { return heap_->totals.stale_words; }
std::uint64_t Stats::suspicious_words() const { return heap_->totals.suspicious_words; }

}  // namespace perfloc
