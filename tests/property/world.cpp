#include "world.hpp"

#include "comparison.hpp"
#include "runtime/condemned.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

namespace perfloc::property {

namespace {

/// The stress modes are read from the environment when a heap is made.
class StressVariable {
public:
    explicit StressVariable(const std::string& modes) {
        if (const char* const before = std::getenv(kName)) before_ = before;
        if (!modes.empty()) ::setenv(kName, modes.c_str(), 1);
    }
    ~StressVariable() { before_ ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName); }
    StressVariable(const StressVariable&) = delete;
    StressVariable& operator=(const StressVariable&) = delete;

private:
    static constexpr const char* kName = "PERFLOC_STRESS";
    std::optional<std::string> before_;
};

std::unique_ptr<Heap> make_heap(const Setting& setting) {
    const StressVariable stress(setting.stress());
    return std::make_unique<Heap>(setting.options());
}

}  // namespace

World::World(const Setting& setting, Census& c) : census(c), heap_(make_heap(setting)) { witness = this; }

World::~World() {
    start(Activity::end_of_heap);
    if (mutator_) roots.reset_local();
    mutator_.reset();
    roots.reset_global();
    heap_.reset();
    witness = nullptr;
}

void World::fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
}

namespace {

/// Collections beside the program that have come to their end.
std::uint64_t ended_cycles(const detail::CollectionState& collection) {
    return collection.cycle - (collection.mode != detail::BarrierMode::idle ? 1u : 0u);
}

}  // namespace

World::Figures World::figures() const {
    const Stats stats = heap_->stats();
    return {.promotions = stats.promotions(),
            .collections = stats.scope_collections() - (core_ != nullptr ? ended_cycles(core_->collection) : 0),
            .destructors = stats.pauses(PauseCause::destructors).count(),
            .full_collections = stats.full_collections(),
            .condemned = core_ != nullptr ? core_->collection.counts.condemned : 0,
            .free_bytes = stats.limit_bytes() - std::min(stats.limit_bytes(), stats.used_bytes()),
            .promoted_bytes = stats.promoted_bytes()};
}

void World::start(Activity activity) {
    activity_ = activity;
    reachable_ = model.reachable(roots.valid());
    if (heap_) before_ = figures();
}

void World::before_end(ScopeNumber scope, bool detached, bool kept) {
    for (RawSlot& raw : roots.raws) {
        if (raw.ends_with(scope, detached)) raw.reset();
    }
    start(kept || !listens() ? Activity::keep : Activity::scope_end);
    ending_ = scope;
    cycle_before_ = core_ != nullptr ? core_->collection.cycle : 0;
    if (collecting() && collected_while_open()) collected_open_.insert(scope);
    // While a collection goes on, another destructor may still read what one has been called for.
    std::vector<Id> held = roots.strong();
    held.insert(held.end(), ghosts_.begin(), ghosts_.end());
    outside_ = model.reachable_from_outside(scope, held, collecting());
}

bool World::collected_while_open() const {
    bool any = false;
    if (core_ == nullptr) return false;
    core_->for_each_open_region(
        [&](const detail::Region& region) { any = any || detail::looks_at(*core_, region.index); });
    return any;
}

/// A scope that began since open scopes are collected, inside of them, has adopted spans that are older than that.
bool World::older_spans_in_younger_scope() const {
    if (!collecting()) return false;
    const auto looked_at = [&](const detail::Region& region) { return detail::looks_at(*core_, region.index); };
    const auto began_since = [&](const detail::Region& region) {
        bool inside = false;
        core_->for_each_open_region([&](const detail::Region& outer) {
            inside = inside || (looked_at(outer) && detail::key_encloses(core_->regions.record(outer).key,
                                                                         core_->regions.record(region).key));
        });
        return inside && !looked_at(region);
    };
    bool older = false;
    core_->for_each_open_region([&](const detail::Region& region) {
        if (!began_since(region)) return;
        core_->pages.for_each(static_cast<const detail::SpanLists&>(region),
                              [&](std::uint32_t, const detail::Span& span) {
                                  older = older || span.generation <= core_->collection.start_generation;
                              });
    });
    return older;
}

void World::after_end(bool unwound) {
    if (!failed()) {
        count_ending(unwound);
        if (older_spans_in_younger_scope()) census.count(Event::adopted_meanwhile);
        if (activity_ == Activity::scope_end) doom(outside_);
        model.move_out(ending_, figures().condemned != before_.condemned ? polls_ : kSettled);
    }
    finish();
    check();
}

void World::count_ending(bool unwound) {
    const Figures now = figures();
    if (unwound) census.count(Event::unwound);
    if (!listens()) return census.count(Event::merged);
    if (activity_ == Activity::keep) return census.count(Event::kept);
    if (now.condemned != before_.condemned) {
        census.count(Event::condemned);
    } else if (now.collections != before_.collections) {
        const bool destructors = now.destructors != before_.destructors;
        census.count(destructors ? Event::destructors_only : Event::collected);
        if (before_.free_bytes < 256_KiB && now.promoted_bytes > before_.promoted_bytes)
            census.count(Event::adopted_at_limit);
    } else if (now.promotions != before_.promotions) {
        census.count(Event::promoted_inline);
    } else {
        census.count(Event::released);
    }
}

/// What nothing held when its scope ended is destroyed newest first.
void World::check_order(const Node& node, Id id) {
    const bool ends = activity_ == Activity::scope_end || activity_ == Activity::end_of_heap;
    if (!node.doomed && (!ends || node.home != ending_)) return;
    // It was held when its scope ended, by what a collection that this waited for (end_and_wait) has found dead since.
    if (!node.doomed && activity_ == Activity::scope_end && id < outside_.size() && outside_[id]) return;
    if (collected_open_.contains(node.born)) return;
    auto [newest, first] = newest_left_.try_emplace(node.born, node.finished);
    if (!first && node.finished > newest->second) fail(fmt::format("node {} is destroyed after an older one", id));
    newest->second = node.finished;
}

/// Of the ended scope, or of all, whatever is not among the survivors is not to survive.
void World::doom(const Model::Set& survivors) {
    for (Id id = 1; id < model.count(); ++id) {
        Node& node = model[id];
        if (!survivors[id] && !node.dead && (ending_ == kElsewhere || node.home == ending_)) node.doomed = true;
    }
}

/// Who might have kept it, for a report.
std::string World::referrers_of(Id id) const {
    std::string text;
    for (Id other = 1; other < model.count(); ++other) {
        const Node& node = model[other];
        if (std::find(node.edges.begin(), node.edges.end(), id) == node.edges.end()) continue;
        text += fmt::format("; {} {} of scope {} refers to it, {}", name_of(node.kind), other, node.born,
                            node.dead        ? "dead"
                            : node.destroyed ? "destroyed"
                            : node.doomed    ? "doomed"
                                             : "alive or garbage");
    }
    return text;
}

/// All that has ended is settled: what was doomed is destroyed and seen no more.
void World::check_gone() {
    for (Id id = 1; id < model.count(); ++id) {
        Node& node = model[id];
        if ((!node.doomed && !node.destroyed) || node.dead) continue;
        if (has_destructor(node.kind) && node.finished != 0 && !node.destroyed) {
            fail(fmt::format("{} {}, of scope {}, is garbage and was not destroyed{}", name_of(node.kind), id,
                             node.born, referrers_of(id)));
        }
        node.dead = true;
    }
}

void World::note_counts() {
    if (core_ == nullptr) return;
    const detail::CollectionCounts now = core_->collection.counts;
    const std::uint64_t cycles = ended_cycles(core_->collection);
    census.count(Event::cycles, cycles - std::exchange(counted_cycles_, cycles));
    census.count(Event::pressure_cycles, now.pressure_cycles - counted_.pressure_cycles);
    census.count(Event::condemned_waiting, now.condemned_waiting - counted_.condemned_waiting);
    census.count(Event::condemned_in_set, now.condemned_in_set - counted_.condemned_in_set);
    census.count(Event::waiting_in_set, now.waiting_in_set - counted_.waiting_in_set);
    census.count(Event::frozen_early, now.frozen_early - counted_.frozen_early);
    census.count(Event::spans_adopted, now.spans_adopted - counted_.spans_adopted);
    census.count(Event::spans_evacuated, now.spans_evacuated - counted_.spans_evacuated);
    census.count(Event::hole_pages, now.hole_pages - counted_.hole_pages);
    census.count(Event::few_survived, now.few_survived - counted_.few_survived);
    census.count(Event::allocation_slices, now.allocation_slices - counted_.allocation_slices);
    counted_ = now;
}

bool World::collecting() const { return core_ != nullptr && core_->collection.active(); }

void World::note_dropped(const std::vector<Id>& before) {
    if (!collecting()) return;
    const std::vector<Id> now = roots.held_globally();
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (before[i] == now[i]) continue;
        ghosts_.push_back(before[i]);
        ghosts_.push_back(now[i]);  // it was moved there from a handle that is gone
    }
}

void World::reset_raws() {
    roots.reset_raws();
    if (no_pauses_ == 0) ghosts_.clear();
    ++polls_;
}

void World::after_collection(bool sure) {
    const bool collected = figures().full_collections != before_.full_collections;
    expect(collected || !sure, "collect_full() has not collected");
    if (collected) {
        ending_ = kElsewhere;
        doom(reachable_);
        expect(!sure || !collecting(), "after a full collection something waits to be collected");
        if (!sure) census.count(Event::poll_collected);
    }
    finish();
    check();
}

void World::poll(bool idle) {
    reset_raws();
    start(Activity::collection);
    if (idle) {
        mutator_->idle_until(std::chrono::steady_clock::now() + std::chrono::microseconds(1));
    } else {
        mutator_->poll();
    }
    after_collection(false);
}

void World::collect_full() {
    reset_raws();
    start(Activity::collection);
    heap_->collect_full();
    after_collection(true);
}

void World::collect_until(std::chrono::nanoseconds time) {
    reset_raws();
    start(Activity::collection);
    if (mutator_->collect_until(std::chrono::steady_clock::now() + time)) {
        expect(!collecting(), "nothing is left to collect, and something waits to be collected");
        census.count(Event::rested);
    }
    after_collection(false);
}

void World::rest() {
    collect_until(std::chrono::seconds(60));
    expect(!collecting() || no_pauses_ != 0, "collections do not end");
}

void World::attach() {
    mutator_.emplace(*heap_);
    core_ = detail::hot.mutator->heap;
    outermost_ = begin_scope();
}

void World::detach() {
    roots.reset_raws();  // and not the ghosts, before the end of the outermost scope
    for (auto& slot : roots.handles) slot.id = 0;
    for (auto& slot : roots.weak) slot.id = 0;
    for (auto& slot : roots.pins) slot.id = 0;
    before_end(outermost_, false);
    mutator_.reset();
    census.count(Event::outermost);
    after_end();
}

void World::check() {
    if (failed()) return;
    note_counts();
    if (!collecting()) check_gone();
    fail(compare(model, roots));
    if (failed()) return;
    const VerifyReport report = heap_->verify();
    if (!report.ok()) fail(report.violations.front());
}

void World::check_end_of_heap() {
    start(Activity::end_of_heap);
    ending_ = kRootScope;
    core_ = nullptr;
    heap_.reset();
    if (failed()) return;
    for (Id id = 1; id < model.count(); ++id) {
        const Node& node = model[id];
        if (has_destructor(node.kind) && node.finished != 0 && !node.destroyed) {
            fail(fmt::format("{} {} was never destroyed", name_of(node.kind), id));
        }
    }
}

void World::destroyed(const Object& object) noexcept {
    if (failed()) return;
    const Id id = object.id;
    if (id >= model.count()) return fail(fmt::format("something is destroyed that calls itself node {}", id));
    Node& node = model[id];
    if (node.destroyed) fail(fmt::format("{} {} is destroyed twice", name_of(node.kind), id));
    if (node.finished == 0) fail(fmt::format("node {}, whose constructor threw, is destroyed", id));
    node.destroyed = true;
    check_order(node, id);
    census.count(Event::destroyed);

    if (collecting()) {
        // Any step may give a collection a slice.
        if (activity_ == Activity::none) reachable_ = model.reachable(roots.valid());
        if (activity_ == Activity::none || node.born != ending_) census.count(Event::pending_destroyed);
    } else {
        if (activity_ == Activity::none) fail(fmt::format("node {} is destroyed for no reason", id));
        if (activity_ == Activity::keep) fail(fmt::format("node {} is destroyed by the end of a kept scope", id));
        if (activity_ == Activity::scope_end && node.home != ending_ && node.home != kElsewhere) {
            fail(fmt::format("node {} is destroyed by the end of another scope than its own", id));
        }
    }
    // Unless a collection that had begun before was looking at it while the scope was open.
    const bool looked_at = collecting() && detail::in_set(*core_, &object) &&
                           (core_->collection.cycle == cycle_before_ || node.born != ending_);
    if (activity_ == Activity::keep && node.home == ending_ && !looked_at) {
        fail(fmt::format("node {} is destroyed by the end of a scope that is kept", id));
    }
    if (reachable_[id]) fail(fmt::format("node {} is destroyed and was still held", id));
    for (const auto& slot : roots.weak)
        expect(slot.id != id || slot.handle.expired(), "a weak handle sees a destructor");
    for (const auto& slot : roots.weak_globals)
        expect(slot.id != id || !slot.handle.get(), "a weak handle sees a destructor");
    // A destructor may read what its object refers to, be that dead as well.
    Object* const self = const_cast<Object*>(&object);
    for (std::size_t i = 0; i < node.edges.size(); ++i) {
        const Id target = node.edges[i];
        const Object* const there = edge(self, i).get();
        if (target == 0 ? there != nullptr
                        : there == nullptr || there->id != (model[target].finished != 0 ? target : 0)) {
            fail(fmt::format("what {} {} refers to is gone before its destructor", name_of(node.kind), id));
        }
    }
}

}  // namespace perfloc::property
