#include "comparison.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace perfloc::property {

namespace {

class Comparison {
public:
    Comparison(const Model& model, const Roots& roots) : model_(model), roots_(roots), at_(model.count()) {}

    std::string run() {
        visit_roots();
        while (!pending_.empty() && difference_.empty()) {
            const Id id = pending_.back();
            pending_.pop_back();
            compare_object(at_[id], id);
        }
        if (difference_.empty()) compare_weak_handles();
        return difference_;
    }

private:
    void visit_roots() {
        for (const auto& slot : roots_.handles) visit(slot.handle.get(), slot.id, "a handle", 0);
        for (const auto& slot : roots_.globals) visit(slot.handle.get(), slot.id, "a global handle", 0);
        for (const auto& slot : roots_.raws) visit(slot.object, slot.id, "a plain pointer", 0);
        for (const PinSlot& slot : roots_.pins) {
            Object* const object = slot.id != 0 ? slot.pin->get() : nullptr;
            visit(object, slot.id, "a pin", 0);
            if (slot.id != 0 && object != slot.address) differ("node {} moved under a pin", slot.id);
        }
    }

    template <class... Args>
    void differ(fmt::format_string<Args...> what, Args&&... args) {
        if (difference_.empty()) difference_ = fmt::format(what, std::forward<Args>(args)...);
    }

    void visit(Object* object, Id id, const char* from, Id parent) {
        if ((object == nullptr) != (id == 0)) {
            return differ("{} {} is {}, and should refer to node {}", from, parent,
                          object == nullptr ? "null" : "not null", id);
        }
        if (id == 0) return;
        if (model_[id].dead || model_[id].destroyed)
            return differ("{} {} refers to node {}, which is dead", from, parent, id);
        if (at_[id] == nullptr) {
            at_[id] = object;
            pending_.push_back(id);
        } else if (at_[id] != object) {
            differ("{} {} refers to another copy of node {}", from, parent, id);
        }
    }

    void compare_object(Object* object, Id id) {
        const Node& node = model_[id];
        if (node.finished == 0) {  // a filler reads as zeros
            if (object->id != 0 || object->value != 0) differ("the filler of node {} is not zeroed", id);
            return;
        }
        if (object->id != id) return differ("where {} {} should be, {} is", name_of(node.kind), id, object->id);
        if (object->kind != node.kind)
            return differ("the kind of {} {} is {}", name_of(node.kind), id, name_of(object->kind));
        if (object->value != node.value) return differ("the value of {} {} has changed", name_of(node.kind), id);
        if (!intact(object)) return differ("the contents of {} {} have changed", name_of(node.kind), id);
        if (edge_count(object) != node.edges.size()) {
            return differ("{} {} has {} edges instead of {}", name_of(node.kind), id, edge_count(object),
                          node.edges.size());
        }
        for (std::size_t i = 0; i < node.edges.size(); ++i) {
            visit(edge(object, i).get(), node.edges[i], name_of(node.kind), id);
        }
    }

    void compare_weak_handles() {
        for (const auto& slot : roots_.weak) compare_weak(slot.id, [&] { return slot.handle.lock().get(); });
        for (const auto& slot : roots_.weak_globals) compare_weak(slot.id, [&] { return slot.handle.get(); });
    }
    /// Looked at only where it is known what must be seen: to look keeps an object alive that is not known to be dead.
    template <class Look>
    void compare_weak(Id id, Look&& look) {
        if (id == 0) {
            if (look() != nullptr) differ("a weak handle of nothing is not null");
        } else if (model_[id].dead || model_[id].destroyed) {
            if (look() != nullptr) differ("a weak handle gives node {}, which is dead", id);
        } else if (at_[id] != nullptr) {
            const Object* const object = look();
            if (object == at_[id]) return;
            differ("a weak handle of node {}, which is held, {}", id,
                   object == nullptr ? "is null" : "gives another object");
        }
    }

    const Model& model_;
    const Roots& roots_;
    std::vector<Object*> at_;  // by id
    std::vector<Id> pending_;
    std::string difference_;
};

}  // namespace

std::string compare(const Model& model, const Roots& roots) { return Comparison(model, roots).run(); }

}  // namespace perfloc::property
