#include "gc/cycle/engine.hpp"

#include "gc/roots.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/scope_tree.hpp"

#include <utility>

/// Collections of open scopes begin in O(1), however many scopes there are: all that is open, or waits, belongs to the set at once, and
/// the barrier treats it so (detail::looks_at). What the collection needs of each region (its spans as they were, its roots) is
/// taken in slices, and sooner from one whose memory is about to change: nothing is allocated in a region between these two moments.
namespace perfloc::gc {

using detail::RegionState;

namespace {

/// Around it, of whatever lineage; null for the root.
Region* around(const Region& region) { return region.entered ? region.entered_from : region.parent_region(); }

}  // namespace

void Engine::begin_pressure(Region& outermost, CollectionReason reason) {
    PERFLOC_ASSERT(phase() == CyclePhase::idle);
    detail::OpenSet& open = heap_.collection.open;
    Region& current = *heap_.current_region();
    open.outermost = &outermost;
    open.last_birth = heap_.regions.births();
    open.last_condemned = heap_.collection.counts.condemned;
    open.freezing = true;
    const bool all = &outermost == heap_.root;
    next_waiting_ = 0;
    last_waiting_ = waiting_for_poll_.size() + waiting_.size();
    chain_ = &current;
    detached_ = all ? heap_.first_detached : nullptr;
    pass_frozen();
    heap_.collection.pressure = true;
    const Begun begun = open_scopes_in(outermost);
    cycle_.set.reserve(begun.regions + last_waiting_);  // at once: a list that grows is copied
    begin(reason, begun);
    freeze_now(current);
    if (outermost.detached && !outermost.entered) freeze_now(outermost);
    attend_current();
}

/// O(lineages that are entered), and where it is not the root: O(scopes in it).
Engine::Begun Engine::open_scopes_in(const Region& outermost) const {
    const detail::RegionTable& regions = heap_.regions;
    if (&outermost == heap_.root) {
        std::size_t scopes = 1 + heap_.detached_scopes;
        for (const Region* region = heap_.current_region(); region != nullptr && region != heap_.root;) {
            const Region& base = regions.base_of(regions.record(*region).key);
            scopes += detail::RegionTable::depth_of(regions.record(*region).key) - (base.detached ? 1 : 0);
            region = around(base);
        }
        return {outermost.label, scopes, heap_.pool.used_bytes()};
    }
    Begun begun{outermost.label, 0, 0};
    const auto count = [&](const Region& region) {
        ++begun.regions;
        begun.bytes += region.pages * detail::kPageBytes;
    };
    const std::uint64_t key = regions.record(outermost).key;
    for (const Region* region = chain_; region != nullptr; region = around(*region)) {
        if (detail::key_encloses(key, regions.record(*region).key)) count(*region);
        if (region == &outermost) return begun;
    }
    count(outermost);
    return begun;
}

bool Engine::freeze_some(Deadline& deadline) {
    while (freeze_next()) {
        if (deadline.passed_now()) return false;
    }
    heap_.collection.open.freezing = false;
    return true;
}

/// False when all are frozen.
bool Engine::freeze_next() {
    if (next_waiting_ != last_waiting_) {
        const std::size_t held = waiting_for_poll_.size();
        Region& region = *(next_waiting_ < held ? waiting_for_poll_[next_waiting_] : waiting_[next_waiting_ - held]);
        ++next_waiting_;
        freeze_now(region);
    } else if (chain_ != nullptr && chain_ != heap_.root) {
        freeze_open(*chain_);
    } else if (detached_ != nullptr) {
        freeze_open(*detached_);
    } else if (chain_ != nullptr) {
        freeze_open(*chain_);
    } else {
        return false;
    }
    return true;
}

void Engine::freeze_early(Region& region) {
    const std::size_t before = cycle_.set.size();
    freeze_now(region);
    heap_.collection.counts.frozen_early += cycle_.set.size() - before;
}

/// Whatever is in the chain comes after all that is inside of it: a region's spare is dropped, and what is open in it would pass for one.
void Engine::freeze_now(Region& region) {
    const auto frozen = [&] { return heap_.regions.record(region).looked_at != 0; };
    if (frozen() || !detail::to_be_frozen(heap_, region)) return;
    if (heap_.regions.state(region) == RegionState::condemned) return freeze_waiting(region);
    if (region.detached && !region.entered) return freeze_open(region);
    while (!frozen()) {
        PERFLOC_CHECK(chain_ != nullptr, "internal: scope \"{}\" is open and not in the mutator's nest",
                      detail::LabelTable::name(region.label));
        freeze_open(*chain_);
    }
}

/// What has ended in open scopes that are looked at, and waits: references from there to what encloses it are not recorded. As with a
/// scope that ends while it is looked at (protocol P6), its survivors stay in it, and its own collection comes later.
void Engine::freeze_waiting(Region& region) {
    region.start_in_poll = true;
    region.first_span = 0;  // it may be cut, or go
    region.start = nullptr;
    if (!std::exchange(region.owed, true)) ++owed_;
    ++heap_.collection.counts.waiting_in_set;
    freeze(region);
    cycle_.set.push_back(&region);
}

void Engine::freeze_open(Region& region) {
    // Spares would hand their old spans out.
    const Region* const spare = region.spare_region();
    if (spare != nullptr && heap_.regions.record(*spare).looked_at == 0) detail::drop_spares(heap_, region);
    freeze(region);
    region.first_span = 0;
    region.start = nullptr;
    region.attention |= detail::kMoreSpans | detail::kPending | detail::kAttend;
    cycle_.set.push_back(&region);
    pass_frozen();
}

/// Neither refers to a region that may go: what is not frozen does not end.
void Engine::pass_frozen() {
    const Region* const outermost = heap_.collection.open.outermost;
    const auto passed = [&](const Region& region) {
        return heap_.regions.record(region).looked_at != 0 || !detail::to_be_frozen(heap_, region);
    };
    while (chain_ != nullptr && passed(*chain_)) chain_ = chain_ == outermost ? nullptr : around(*chain_);
    while (detached_ != nullptr && (detached_->entered || passed(*detached_))) detached_ = detached_->next_listed;
}

}  // namespace perfloc::gc
