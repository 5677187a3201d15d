#include "model.hpp"

namespace perfloc::property {

Id Model::add(Kind kind, std::uint64_t value, ScopeNumber home) {
    Node& node = nodes_.emplace_back();
    node.kind = kind;
    node.value = value;
    node.home = node.born = home;
    return count() - 1;
}

Model::Set Model::closure(std::vector<Id> pending) const {
    Set set(nodes_.size());
    while (!pending.empty()) {
        const Id id = pending.back();
        pending.pop_back();
        if (id == 0 || set[id]) continue;
        set[id] = true;
        for (const Id target : nodes_[id].edges) {
            if (target != 0) pending.push_back(target);
        }
    }
    return set;
}

Model::Set Model::reachable(const std::vector<Id>& roots) const { return closure(roots); }

Model::Set Model::reachable_from_outside(ScopeNumber scope, const std::vector<Id>& roots, bool destroyed) const {
    std::vector<Id> pending = roots;
    for (Id id = 1; id < count(); ++id) {
        const Node& node = nodes_[id];
        if (node.home != scope && (destroyed || !node.destroyed) && !node.dead) pending.push_back(id);
    }
    return closure(std::move(pending));
}

void Model::move_out(ScopeNumber scope, std::uint64_t poll) {
    for (Node& node : nodes_) {
        if (node.home != scope) continue;
        node.home = kElsewhere;
        node.left = poll;
    }
}

void Model::spare(Id id) {
    if (!nodes_[id].doomed) return;
    const Set living = closure({id});
    for (Id other = 1; other < count(); ++other) {
        if (living[other]) nodes_[other].doomed = false;
    }
}

}  // namespace perfloc::property
