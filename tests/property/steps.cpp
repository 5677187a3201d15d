// What the operations on objects and handles do.
#include "block.hpp"
#include "interpreter.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace perfloc::property {

namespace {

/// A constructor changes its mind.
struct Rejected : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The last few are large objects, over 32 KiB, for any kind of array.
constexpr std::size_t kSizes[] = {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 100, 150, 200, 400, 1500, 4200, 5000};

std::size_t size_of(Kind kind, std::size_t size) { return kind == Kind::blob ? size * 8 : size; }

}  // namespace

// --- making objects --------------------------------------------------------------------------------------------------

Plan Interpreter::plan_of(const Op& op) {
    const auto kind = static_cast<Kind>(op.a % kKinds);
    const std::size_t size = size_of(kind, kSizes[op.a / kKinds % std::size(kSizes)]);
    const Roots::Pick first = op.b % 4 != 0 ? pick(op.b) : Roots::Pick{};
    const Roots::Pick second = op.b % 3 != 0 ? pick(op.b / 2u + op.c) : Roots::Pick{};
    const std::uint64_t value = op.a * 1000u + op.b;
    building_ = 0;
    return {.head = {0, kind, value}, .size = size, .first = first, .second = second, .builder = this};
}

template <class Place>
Roots::Pick Interpreter::make(Place&& place, Plan plan, ScopeNumber home) {
    Model& model = world_.model;
    const Id id = plan.head.id = model.add(plan.head.kind, plan.head.value, home);
    model[id].edges = edges_of(plan.head.kind, plan.size, plan.first.id, plan.second.id);
    const bool outer_half_built = std::exchange(half_built_, false);
    Roots::Pick made{nullptr, id};
    try {
        made.object = construct(place, plan);
        model.finish(id);
    } catch (const OutOfMemory&) {
        census_.count(Event::out_of_memory);
        model[id].dead = !half_built_;
    } catch (const Rejected&) {
        census_.count(Event::constructor_threw);
    }
    half_built_ = outer_half_built;
    if (made.object == nullptr) {
        model[id].edges.clear();
        return {};
    }
    return made;
}

bool Interpreter::make(const Op& op) {
    if (op.code == Opcode::make_raw) return take(op.c, make(AsPointer{}, plan_of(op), here()));
    if (op.code == Opcode::make_in) return hold(op.c, make_in_some_scope(op));
    AsHandle place;
    return hold(op.c, make(place, plan_of(op), here()));
}

Roots::Pick Interpreter::make_in_some_scope(const Op& op) {
    const Plan plan = plan_of(op);
    const unsigned which = op.b / 4u;
    if (op.b % 4 == 1) {
        Detached& detached = detached_[which % detached_.size()];
        if (detached.scope) return make(In<DetachedScope>{*detached.scope}, plan, detached.number);
    }
    if (op.b % 4 >= 2 && !blocks_.empty()) {
        Block& block = *blocks_[which % blocks_.size()];
        if (block.scope() != nullptr) return make(In<Scope>{*block.scope()}, plan, block.number());
        return make(In<DetachedScope>{*block.detached()->scope}, plan, block.number());
    }
    return make(In<RootScope>{world_.heap().root()}, plan, kRootScope);
}

bool Interpreter::build(const Op& op) {
    Plan plan = plan_of({Opcode::build, static_cast<std::uint8_t>(Kind::built), op.b, op.c});
    building_ = op.a;
    register_at_ = pick(op.b / 2u);
    Roots::Pick made;
    if (op.a % 128 >= 64) {
        made = make(In<RootScope>{world_.heap().root()}, plan, kRootScope);
    } else {
        made = make(AsPointer{}, plan, here());
    }
    building_ = 0;
    return made.id == 0 || hold(op.c, made);
}

/// The constructor of a Built: stores half-built references to itself, makes something of its own, polls (which does
/// nothing), opens a scope, and throws, each as the operation said.
void Interpreter::while_built(Object* half_built, Link* links) {
    const Id id = half_built->id;
    Model& model = world_.model;
    half_built_ = true;
    const unsigned building = std::exchange(building_, 0);
    if (building & 1 && register_at_.id != 0 && !model[register_at_.id].edges.empty()) {
        edge(register_at_.object, 0) = half_built;
        model[register_at_.id].edges[0] = id;
    }
    if (building & 2) hold(building, {half_built, id});
    if (building & 4) {
        const Plan inner{.head = {0, Kind::crate, id}, .first = {half_built, id}, .second = {}, .builder = this};
        const Roots::Pick made = make(AsPointer{}, inner, here());
        links[1] = made.object;
        model[id].edges[1] = made.id;
    }
    if (building & 8) {
        Scope scope{"in a constructor"};
        perfloc::make<Pair>(Object{}, half_built, nullptr);
    }
    if (building & 16) perfloc::poll();  // law [quiet]
    if (building & 32) throw Rejected("a constructor throws");
}

bool Interpreter::chain(const Op& op) {
    Roots::Pick last;
    for (unsigned i = 0; i <= op.a % 32u; ++i) {
        const Plan plan{.head = {0, Kind::pair, i}, .first = last, .second = {}};
        const Roots::Pick next = make(AsPointer{}, plan, here());
        if (next.id == 0) break;
        last = next;
    }
    return hold(op.c, last);
}

bool Interpreter::fill(const Op& op) {
    const unsigned count = 1 + op.a % (program_.setting.small ? 96u : 8u);
    Roots::Pick last;
    for (unsigned i = 0; i < count; ++i) {
        const Plan plan{
            .head = {0, Kind::blob, i}, .size = 36_KiB + op.b * std::size_t{512}, .first = last, .second = {}};
        const Roots::Pick next = make(AsPointer{}, plan, here());
        if (next.id == 0) break;
        last = next;
    }
    return hold(op.c, last);
}

/// It is older than the collection of open scopes that comes, which does not look at it, and stays where it is: its span is adopted
/// where the detached scope ends meanwhile (end_some_detached()). Left to chance, that happened in one of three runs.
void Interpreter::make_pinned_in_detached(const Op& op) {
    const unsigned which = op.c / 2u % detached_.size();
    begin_detached({Opcode::detached, static_cast<std::uint8_t>(which), 0, 0});
    Detached& detached = detached_[which];
    // It refers to nothing: the end would else wait while roots are gathered.
    const Plan plan{.head = {0, Kind::named, op.c}, .first = {}, .second = {}};
    hold(op.a, make(In<DetachedScope>{*detached.scope}, plan, detached.number));
}

// --- edges and plain pointers ----------------------------------------------------------------------------------------

bool Interpreter::link(const Op& op, bool null) {
    const Roots::Pick from = pick(op.a);
    if (from.id == 0 || world_.model[from.id].edges.empty()) return false;
    const Roots::Pick to = null ? Roots::Pick{} : pick(op.b);
    std::vector<Id>& edges = world_.model[from.id].edges;
    const std::size_t i = op.c % edges.size();
    edge(from.object, i) = to.object;
    edges[i] = to.id;
    return true;
}

bool Interpreter::swap_links(const Op& op) {
    const Roots::Pick a = pick(op.a);
    const Roots::Pick b = pick(op.b);
    if (a.id == 0 || b.id == 0) return false;
    std::vector<Id>& a_edges = world_.model[a.id].edges;
    std::vector<Id>& b_edges = world_.model[b.id].edges;
    if (a_edges.empty() || b_edges.empty()) return false;
    const std::size_t i = op.c % a_edges.size();
    const std::size_t j = op.c / 16u % b_edges.size();
    swap(edge(a.object, i), edge(b.object, j));
    std::swap(a_edges[i], b_edges[j]);
    return true;
}

/// Sorts the edges of a table by what they refer to. A filler has no number that the order could go by.
bool Interpreter::sort(const Op& op) {
    for (unsigned i = 0; i < 8; ++i) {
        const Roots::Pick table = pick(op.a + i);
        if (table.id == 0) return false;
        Node& node = world_.model[table.id];
        if (node.kind != Kind::table || node.finished == 0) continue;
        const auto is_filler = [&](Id id) { return id != 0 && world_.model[id].finished == 0; };
        if (std::any_of(node.edges.begin(), node.edges.end(), is_filler)) continue;
        Links& links = *reinterpret_cast<Table*>(table.object)->links;
        const auto id_of = [](const Object* object) { return object != nullptr ? object->id : 0; };
        std::sort(links.begin(), links.end(), [&](const Object* x, const Object* y) { return id_of(x) < id_of(y); });
        std::sort(node.edges.begin(), node.edges.end());
        return true;
    }
    return false;
}

bool Interpreter::take(unsigned slot, Roots::Pick pick) {
    if (pick.id == 0) return false;
    const ScopeNumber home = world_.model[pick.id].home;
    world_.roots.raws[slot % world_.roots.raws.size()] = {
        pick.object, pick.id, home, world_.next_scope(), here(), world_.model[pick.id].left == world_.polls()};
    return true;
}

// --- handles ---------------------------------------------------------------------------------------------------------

bool Interpreter::hold(unsigned slot, Roots::Pick pick) {
    if (pick.id == 0) return false;
    auto& held = world_.roots.handles[slot % world_.roots.handles.size()];
    held.handle = pick.object;
    held.id = pick.id;
    return true;
}

bool Interpreter::local_handles(const Op& op) {
    auto& handles = world_.roots.handles;
    auto& from = handles[op.a % handles.size()];
    auto& to = handles[op.c % handles.size()];
    switch (op.code) {
        case Opcode::copy:
            to = Slot<Handle<Object>>(from);
            return true;
        case Opcode::move:
            if (&from == &to) return false;
            to.handle = std::move(from.handle);
            to.id = std::exchange(from.id, 0);
            return true;
        default:
            for (unsigned i = 0; i <= op.b % 4u; ++i) handles[(op.a + i) % handles.size()].reset();
            return true;
    }
}

bool Interpreter::weak_handles(const Op& op) {
    auto& weak = world_.roots.weak;
    auto& from = weak[op.a % weak.size()];
    auto& to = weak[op.c % weak.size()];
    world_.touch_weak(from.id);
    world_.touch_weak(to.id);
    switch (op.code) {
        case Opcode::weaken: {
            const Roots::Pick target = pick(op.a);
            if (target.id == 0) return false;
            to = {WeakHandle<Object>(target.object), target.id};
            return true;
        }
        case Opcode::copy_weak:
            if (op.b % 2 == 0) {
                to = from;
            } else if (&from != &to) {
                to.handle = std::move(from.handle);
                to.id = std::exchange(from.id, 0);
            }
            return true;
        default: {
            if (from.id == 0) return false;
            const Handle<Object> locked = from.handle.lock();
            census_.count(locked ? Event::locked : Event::expired);
            return !locked || hold(op.c, {locked.get(), from.id});
        }
    }
}

bool Interpreter::global_handles(const Op& op) {
    const std::vector<Id> before = world_.roots.held_globally();
    const bool done = change_global_handles(op);
    world_.note_dropped(before);
    return done;
}

bool Interpreter::change_global_handles(const Op& op) {
    auto& globals = world_.roots.globals;
    auto& weak = world_.roots.weak_globals;
    auto& strong_at_a = globals[op.a % globals.size()];
    auto& weak_at_a = weak[op.a % weak.size()];
    auto& strong_at_c = globals[op.c % globals.size()];
    auto& weak_at_c = weak[op.c % weak.size()];
    const bool odd = op.b % 2 != 0;
    if (odd) {
        world_.touch_weak(weak_at_a.id);
        world_.touch_weak(weak_at_c.id);
    }
    switch (op.code) {
        case Opcode::globalise: {
            const Roots::Pick target = pick(op.a);
            if (target.id == 0) return false;
            if (odd) {
                weak_at_c = {GlobalWeakHandle<Object>(target.object), target.id};
            } else {
                strong_at_c = {GlobalHandle<Object>(target.object), target.id};
            }
            return true;
        }
        case Opcode::copy_global:
            if (odd) {
                weak_at_c = weak_at_a;
            } else if (op.b % 4 == 0) {
                strong_at_c = strong_at_a;
            } else if (&strong_at_a != &strong_at_c) {
                strong_at_c.handle = std::move(strong_at_a.handle);
                strong_at_c.id = std::exchange(strong_at_a.id, 0);
            }
            return true;
        case Opcode::lock_global:
            if (odd) {
                const Handle<Object> locked = weak_at_a.handle.lock();
                return locked && hold(op.c, {locked.get(), weak_at_a.id});
            }
            return strong_at_a.id != 0 && hold(op.c, {strong_at_a.handle.lock().get(), strong_at_a.id});
        default:
            odd ? weak_at_c.reset() : strong_at_c.reset();
            return true;
    }
}

bool Interpreter::pins(const Op& op) {
    PinSlot& slot = world_.roots.pins[op.c % world_.roots.pins.size()];
    if (op.code == Opcode::unpin) {
        slot.reset();
        return true;
    }
    const Roots::Pick target = pick(op.a);
    if (target.id == 0) return false;
    slot.pin = Pin<Object>(target.object);
    slot.id = target.id;
    slot.address = target.object;
    return true;
}

}  // namespace perfloc::property
