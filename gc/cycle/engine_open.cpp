#include "gc/cycle/engine.hpp"

#include "gc/roots.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <utility>

/// Collections of open scopes begin in O(1), however many scopes there are: all that is open, or waits, belongs to the set at once, and
/// the barrier treats it so (detail::looks_at). What the collection needs of each region (its spans as they were, its roots) is
/// taken in slices, and sooner from one whose memory is about to change: nothing is allocated in a region between these two moments. Of
/// ended scopes it is taken in slices as well.
namespace perfloc::gc {

using detail::RegionState;

namespace {

constexpr std::size_t kInOrderAtOnce = 512;

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
    const bool apart = outermost.detached && !outermost.entered;
    chain_ = apart ? nullptr : &current;
    detached_ = all ? heap_.first_detached : nullptr;
    pass_frozen();
    heap_.collection.pressure = true;
    const Begun begun = open_scopes_in(outermost);
    cycle_.set.reserve(begun.regions + last_waiting_);  // at once: a list that grows is copied
    frozen_waiting_.reserve(last_waiting_);
    frozen_detached_.reserve(all ? heap_.detached_scopes : 1);
    frozen_nest_.reserve(begun.regions - std::min(begun.regions, all ? heap_.detached_scopes : 0));
    begin(reason, begun);
    freeze_now(current);
    if (apart) freeze_now(outermost);
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
            region = base.around();
        }
        return {outermost.label, scopes, heap_.pool.used_bytes()};
    }
    Begun begun{outermost.label, 0, 0};
    const auto count = [&](const Region& region) {
        ++begun.regions;
        begun.bytes += region.pages * detail::kPageBytes;
    };
    const std::uint64_t key = regions.record(outermost).key;
    for (const Region* region = chain_; region != nullptr; region = region->around()) {
        if (detail::key_encloses(key, regions.record(*region).key)) count(*region);
        if (region == &outermost) return begun;
    }
    count(outermost);
    return begun;
}

bool Engine::freeze_some(Deadline& deadline) {
    while (cycle_.pressure() ? freeze_next() : freeze_next_ended()) {
        if (deadline.passed_now() || heap_.stress.condemn) return false;
    }
    if (cycle_.pressure() && !put_in_order(deadline)) return false;
    heap_.collection.open.freezing = false;
    heap_.collection.frozen = true;
    return true;
}

/// False when all are frozen. What encloses others first, since these ask it.
bool Engine::freeze_next_ended() {
    if (next_ended_ == 0) return false;
    Region& region = *cycle_.set[--next_ended_];
    Region& enclosing = *region.enclosing;
    region.outside = heap_.regions.record(enclosing).looked_at != 0 ? enclosing.outside : &enclosing;
    freeze(region);
    return true;
}

/// The same of open scopes. Each call is short, also where it comes to one that is frozen already.
bool Engine::freeze_next() {
    if (next_waiting_ != last_waiting_) {
        const std::size_t held = waiting_for_poll_.size();
        Region& region = *(next_waiting_ < held ? waiting_for_poll_[next_waiting_] : waiting_[next_waiting_ - held]);
        ++next_waiting_;
        freeze_now(region);
    } else if (detached_ != nullptr) {
        Region& region = *detached_;
        detached_ = region.next_listed;
        if (!region.entered) freeze_now(region);
    } else if (chain_ != nullptr) {
        freeze_open(*chain_);
    } else {
        return false;
    }
    return true;
}

void Engine::freeze_early(Region& region) {
    if (&region == detached_) detached_ = region.next_listed;  // it may be about to leave their list
    const bool before = heap_.regions.record(region).looked_at != 0;
    freeze_now(region);
    if (!before && heap_.regions.record(region).looked_at != 0) ++heap_.collection.counts.frozen_early;
}

void Engine::freeze_now(Region& region) {
    if (heap_.regions.record(region).looked_at != 0 || !detail::to_be_frozen(heap_, region)) return;
    if (heap_.regions.state(region) == RegionState::condemned) return freeze_waiting(region);
    freeze_open(region);
}

/// What has ended in open scopes that are looked at, and waits: references from there to what encloses it are not recorded. As with a
/// scope that ends while it is looked at (protocol P6), its survivors stay in it, and its own collection comes later.
void Engine::freeze_waiting(Region& region) {
    region.start_in_poll = true;
    region.first_span = 0;  // it may be cut, or go
    region.start = nullptr;
    owe(region);
    ++heap_.collection.counts.waiting_in_set;
    heap_.regions.record(region).looked_at = 1;
    freeze(region);
    frozen_waiting_.push_back(&region);
}

void Engine::freeze_open(Region& region) {
    heap_.regions.record(region).looked_at = 1;
    freeze(region);
    region.first_span = 0;
    region.start = nullptr;
    region.attention |= detail::kMoreSpans | detail::kPending | detail::kAttend;
    if (region.detached) {
        frozen_detached_.push_back(&region);
        if (!region.entered) return drop_old_spare(region);
    } else if (&region != heap_.root) {
        frozen_nest_.push_back(&region);
    }
    pass_frozen();
}

/// A spare would hand its old spans out. What is open in the region is no spare, and is frozen by now.
void Engine::drop_old_spare(Region& region) {
    const Region* const spare = region.spare_region();
    if (spare != nullptr && heap_.regions.record(*spare).looked_at == 0) detail::drop_spares(heap_, region);
}

/// To the innermost of the chain that is not frozen: that one does not end, so this refers to no region that may go. A region that was
/// frozen early is passed when all that is inside of it is frozen, and before it is current again.
void Engine::pass_frozen() {
    const Region* const outermost = heap_.collection.open.outermost;
    while (chain_ != nullptr) {
        const bool frozen = heap_.regions.record(*chain_).looked_at != 0;
        if (frozen) drop_old_spare(*chain_);
        if (!frozen && detail::to_be_frozen(heap_, *chain_)) return;
        chain_ = chain_ == outermost ? nullptr : chain_->around();
    }
}

/// The set, of what is frozen. The root comes last.
bool Engine::put_in_order(const Deadline& deadline) {
    for (detail::List<Region*>* const regions : {&frozen_waiting_, &frozen_detached_, &frozen_nest_}) {
        if (regions->empty()) continue;
        while (in_order_ < regions->size()) {
            const std::size_t n = std::min(kInOrderAtOnce, regions->size() - in_order_);
            const auto first = regions->begin() + static_cast<std::ptrdiff_t>(in_order_);
            cycle_.set.insert(cycle_.set.end(), first, first + static_cast<std::ptrdiff_t>(n));
            in_order_ += n;
            if (deadline.passed_now()) return false;
        }
        regions->clear();
        in_order_ = 0;
    }
    if (heap_.regions.record(*heap_.root).looked_at != 0) cycle_.set.push_back(heap_.root);
    return true;
}

}  // namespace perfloc::gc
