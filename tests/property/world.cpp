#include "world.hpp"

#include "comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace perfloc::property {

namespace {

/// The stress modes are read from the environment when a heap is made.
class StressVariable {
public:
    explicit StressVariable(bool on) {
        if (const char* const before = std::getenv(kName)) before_ = before;
        if (on) ::setenv(kName, "move,poison", 1);
    }
    ~StressVariable() { before_ ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName); }
    StressVariable(const StressVariable&) = delete;
    StressVariable& operator=(const StressVariable&) = delete;

private:
    static constexpr const char* kName = "PERFLOC_STRESS";
    std::optional<std::string> before_;
};

std::unique_ptr<Heap> make_heap(const Setting& setting) {
    const StressVariable stress(setting.stress);
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

World::Figures World::figures() const {
    const Stats stats = heap_->stats();
    return {.promotions = stats.promotions(),
            .collections = stats.scope_collections(),
            .destructors = stats.pauses(PauseCause::destructors).count(),
            .full_collections = stats.full_collections(),
            .free_bytes = stats.limit_bytes() - std::min(stats.limit_bytes(), stats.used_bytes()),
            .promoted_bytes = stats.promoted_bytes()};
}

void World::start(Activity activity) {
    activity_ = activity;
    reachable_ = model.reachable(roots.valid());
    deaths_.clear();
    if (heap_) before_ = figures();
}

void World::before_end(ScopeNumber scope, bool kept) {
    for (RawSlot& raw : roots.raws) {
        if (raw.ends_with(scope)) raw.reset();
    }
    start(kept || !listens() ? Activity::keep : Activity::scope_end);
    ending_ = scope;
    outside_ = model.reachable_from_outside(scope, roots.strong());
}

void World::after_end(bool unwound) {
    if (!failed()) {
        count_ending(unwound);
        if (activity_ == Activity::scope_end) {
            check_order();
            check_gone(outside_);
        }
        model.move_out(ending_);
    }
    finish();
    check();
}

void World::count_ending(bool unwound) {
    const Figures now = figures();
    if (unwound) census.count(Event::unwound);
    if (!listens()) return census.count(Event::merged);
    if (activity_ == Activity::keep) return census.count(Event::kept);
    if (now.collections != before_.collections) {
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

/// Objects of one scope are destroyed newest first. (Those that were promoted into it came in another order.)
void World::check_order() {
    std::uint64_t newer = ~std::uint64_t{0};
    for (const Id id : deaths_) {
        if (model[id].home != ending_) continue;
        if (model[id].finished > newer) fail(fmt::format("node {} is destroyed after an older one", id));
        newer = model[id].finished;
    }
}

/// Of the ended scope, whatever is not among the survivors is destroyed and seen no more.
void World::check_gone(const Model::Set& survivors) {
    for (Id id = 1; id < model.count(); ++id) {
        Node& node = model[id];
        if (survivors[id] || node.dead || (ending_ != kElsewhere && node.home != ending_)) continue;
        if (has_destructor(node.kind) && node.finished != 0 && !node.destroyed) {
            fail(fmt::format("{} {} is garbage and was not destroyed", name_of(node.kind), id));
        }
        node.dead = true;
    }
}

void World::after_collection(bool sure) {
    const bool collected = figures().full_collections != before_.full_collections;
    expect(collected || !sure, "collect_full() has not collected");
    if (collected) {
        ending_ = kElsewhere;
        check_gone(reachable_);
        if (!sure) census.count(Event::poll_collected);
    }
    finish();
    check();
}

void World::poll(bool idle) {
    roots.reset_raws();
    start(Activity::collection);
    if (idle) {
        mutator_->idle_until(std::chrono::steady_clock::now() + std::chrono::microseconds(1));
    } else {
        mutator_->poll();
    }
    after_collection(false);
}

void World::collect_full() {
    roots.reset_raws();
    start(Activity::collection);
    heap_->collect_full();
    after_collection(true);
}

void World::attach() {
    mutator_.emplace(*heap_);
    outermost_ = begin_scope();
}

void World::detach() {
    roots.reset_raws();
    for (auto& slot : roots.handles) slot.id = 0;
    for (auto& slot : roots.weak) slot.id = 0;
    for (auto& slot : roots.pins) slot.id = 0;
    before_end(outermost_);
    mutator_.reset();
    census.count(Event::outermost);
    after_end();
}

void World::check() {
    if (failed()) return;
    fail(compare(model, roots));
    if (failed()) return;
    const VerifyReport report = heap_->verify();
    if (!report.ok()) fail(report.violations.front());
}

void World::check_end_of_heap() {
    start(Activity::end_of_heap);
    ending_ = kRootScope;
    heap_.reset();
    if (failed()) return;
    check_order();
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
    deaths_.push_back(id);
    census.count(Event::destroyed);

    if (activity_ == Activity::none) fail(fmt::format("node {} is destroyed for no reason", id));
    if (activity_ == Activity::keep) fail(fmt::format("node {} is destroyed by the end of a scope that is kept", id));
    if (reachable_[id]) fail(fmt::format("node {} is destroyed and was still held", id));
    if (activity_ == Activity::scope_end && node.home != ending_ && node.home != kElsewhere) {
        fail(fmt::format("node {} is destroyed by the end of another scope than its own", id));
    }
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
