#include "gc/pressure.hpp"

#include "gc/policy/full_policy.hpp"

#include <algorithm>
#include <utility>

namespace perfloc::gc {

namespace {

constexpr unsigned kMostAsked = 100;
constexpr std::size_t kMostTrims = 64;

}  // namespace

void Pressure::trim(const Region& region) {
    const auto is = [&](const Asked& asked) { return asked.region == region.index && asked.birth == region.birth; };
    if (std::none_of(trims_.begin(), trims_.end(), is)) {
        // The root's collection looks at all of them.
        const bool all = &region == heap_.root || trims_.size() >= kMostTrims;
        if (all) trims_.clear();
        trims_.push_back({all ? heap_.root->index : region.index, all ? heap_.root->birth : region.birth});
    }
    heap_.safepoint_due = true;
}

bool Pressure::overdue() const {
    if (!heap_.safepoint_due) return false;
    // What has ended and waits is no growth of what is open.
    const std::size_t used = heap_.pool.used_bytes();
    const std::size_t open = used - std::min<std::size_t>(used, heap_.collection.waiting_bytes);
    return !trims_.empty() || open > GrowthPolicy::overdue_above(left_, above(), heap_.options.soft_limit);
}

std::optional<Pressure::Due> Pressure::take() {
    if (!std::exchange(heap_.safepoint_due, false)) return std::nullopt;
    while (!trims_.empty()) {
        Region* const region = to_be_trimmed(trims_.front());
        trims_.erase(trims_.begin());
        if (region == nullptr) continue;
        heap_.safepoint_due = !trims_.empty() || heap_.pool.used_bytes() > heap_.collect_above;
        return Due{region, CollectionReason::trim};
    }
    if (heap_.pool.used_bytes() <= above()) return std::nullopt;
    const bool soft = heap_.pool.used_bytes() > heap_.options.soft_limit;
    return Due{&grown_most(), soft ? CollectionReason::soft_limit : CollectionReason::pressure};
}

/// Null where it has ended; a spare too has the state of an open region.
Region* Pressure::to_be_trimmed(const Asked& asked) const {
    Region& region = heap_.regions.at(asked.region);
    if (heap_.regions.state(region) != detail::RegionState::open || region.birth != asked.birth) return nullptr;
    if (&region == heap_.root || region.detached) return &region;
    for (const Region* outer = heap_.current_region(); outer != nullptr; outer = outer->around()) {
        if (outer == &region) return &region;
    }
    return nullptr;
}

/// The innermost open scope that has, with what it encloses, three quarters of the growth since the last collection: among so many that
/// looking for it is no pause.
Region& Pressure::grown_most() const {
    const std::size_t used = heap_.pool.used_bytes();
    const std::uint64_t total = (used - std::min(used, left_)) / detail::kPageBytes;
    std::uint64_t inner = 0;
    Region* region = heap_.current_region();
    for (unsigned i = 0; i < kMostAsked && region != nullptr && region != heap_.root; ++i) {
        inner += region->pages - std::min(region->pages, region->settled_pages);
        if (inner > total / 4 * 3) return *region;
        region = region->parent_region();
    }
    return *heap_.root;
}

void Pressure::begun(std::uint32_t cycle) {
    running_ = cycle;
    most_used_ = used_before_ = heap_.pool.used_bytes();
}

void Pressure::watch(const Cycle& cycle) {
    if (running_ == 0) return;
    note_used(cycle);
    if (cycle.phase.now() == CyclePhase::idle || cycle.number != running_) ended();
}

/// The most that was used while a collection of what is open went on; copies are its own.
void Pressure::note_used(const Cycle& cycle) {
    const std::size_t copies = cycle.number == running_ ? cycle.totals.evacuated_bytes : 0;
    const std::size_t used = heap_.pool.used_bytes();
    most_used_ = std::max(most_used_, used - std::min(used, copies));
}

void Pressure::ended() {
    running_ = 0;
    // By what the program grew meanwhile, which was not looked at, it has grown already.
    const std::size_t used = heap_.pool.used_bytes();
    const std::size_t grown = most_used_ - std::min(most_used_, used_before_);
    growth_.collected(grown);
    settle(used - std::min(used, grown));
    if (used > heap_.collect_above) heap_.safepoint_due = true;
}

void Pressure::start_over() {
    trims_.clear();
    settle(heap_.pool.used_bytes());
}

void Pressure::settle(std::size_t used) {
    const Options& options = heap_.options;
    running_ = 0;
    left_ = used;
    promoted_before_ = heap_.totals.promoted_bytes;
    switch (options.collector) {
        case Collector::hinted:
            heap_.collect_above = growth_.threshold(used, options.soft_limit, limit());
            emergency_above_ = next_emergency_collection(used, options.soft_limit, options.limit);
            break;
        case Collector::full:
            heap_.collect_above = std::min(next_full_collection(used, options.full_growth_factor, options.full_minimum),
                                           options.soft_limit);
            break;
        case Collector::none:
            heap_.collect_above = SIZE_MAX;
            break;
    }
}

bool Pressure::urgent(const Cycle& cycle) {
    const std::size_t used = heap_.pool.used_bytes();
    if (urgent_cycle_ != cycle.number) {
        urgent_cycle_ = cycle.number;
        urgent_above_ =
            cycle.pressure() ? growth_.urgent_above(left_, used, limit()) : growth_.urgent_above_ended(used, limit());
    }
    return used > urgent_above_ + cycle.totals.evacuated_bytes;  // copies are the collection's own
}

bool Pressure::near_limit() const {
    if (!heap_.safepoint_due) return false;
    return heap_.pool.used_bytes() > emergency_above_ && heap_.pool.used_bytes() > limit() / 16 * 15;
}

std::size_t Pressure::limit() const { return std::min(heap_.options.limit, heap_.pool.limit_bytes()); }

/// What ended scopes have left was alive when they ended: it counts less than what was made where no scope ends.
std::size_t Pressure::above() const {
    const std::size_t survived = static_cast<std::size_t>(heap_.totals.promoted_bytes - promoted_before_) / 5 * 3;
    return growth_.later(heap_.collect_above, survived, left_, heap_.options.soft_limit);
}

}  // namespace perfloc::gc
