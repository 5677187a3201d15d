#include "roots.hpp"

#include <algorithm>

namespace perfloc::property {

namespace {

template <class Slots>
void add_ids(std::vector<Id>& ids, const Slots& slots) {
    for (const auto& slot : slots) ids.push_back(slot.id);
}

template <class Slots>
void reset_all(Slots& slots) {
    for (auto& slot : slots) slot.reset();
}

}  // namespace

std::vector<Id> Roots::strong() const {
    std::vector<Id> ids = returned;
    add_ids(ids, handles);
    add_ids(ids, globals);
    add_ids(ids, pins);
    return ids;
}

std::vector<Id> Roots::held_globally() const {
    std::vector<Id> ids;
    for (const auto& slot : globals) ids.push_back(slot.id);
    return ids;
}

std::vector<Id> Roots::valid() const {
    std::vector<Id> ids = strong();
    add_ids(ids, raws);
    return ids;
}

Roots::Pick Roots::pick(const Model& model, unsigned operand) const {
    std::vector<Pick> held;
    for (const auto& slot : handles) held.push_back({slot.handle.get(), slot.id});
    for (const auto& slot : globals) held.push_back({slot.handle.get(), slot.id});
    for (const auto& slot : pins) held.push_back({slot.id != 0 ? slot.pin->get() : nullptr, slot.id});
    for (const auto& slot : raws) held.push_back({slot.object, slot.id});
    std::erase_if(held, [](const Pick& pick) { return pick.id == 0; });
    if (held.empty()) return {};

    const auto count = static_cast<unsigned>(held.size());
    Pick pick = held[operand % count];
    for (unsigned steps = operand / count % 4; steps > 0; --steps) {
        const std::vector<Id>& edges = model[pick.id].edges;
        const auto next = std::find_if(edges.begin(), edges.end(), [](Id id) { return id != 0; });
        if (next == edges.end()) break;
        pick = {edge(pick.object, static_cast<std::size_t>(next - edges.begin())).get(), *next};
    }
    return pick;
}

void Roots::reset_raws() { reset_all(raws); }

void Roots::reset_local() {
    reset_all(handles);
    reset_all(weak);
    reset_all(pins);
    reset_raws();
}

void Roots::reset_global() {
    reset_all(globals);
    reset_all(weak_globals);
}

}  // namespace perfloc::property
