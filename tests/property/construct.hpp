// Makes one object of any kind, at any place.
#pragma once

#include "roots.hpp"
#include "types.hpp"

#include <perfloc/perfloc.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace perfloc::property {

/// What is to be made.
struct Plan {
    Object head;
    std::size_t size = 1;  ///< elements of an array, bytes behind a blob
    Roots::Pick first;
    Roots::Pick second;
    Builder* builder = nullptr;
};

/// In the current scope, as a handle, which the place keeps until it is gone.
class AsHandle {
public:
    template <class T, class... Args>
    T* object(Args&&... args) {
        return keep(make<T>(std::forward<Args>(args)...));
    }
    template <class T, class Function>
    T* with(Function&& function) {
        return keep(make_with<T>(function));
    }
    template <class T, class... Args>
    Array<T>* array(std::size_t size, Args&&... value) {
        return keep(make_array<T>(size, value...));
    }

private:
    template <class T>
    T* keep(Handle<T> made) {
        T* const object = made.get();
        handle_ = Handle<Object>(reinterpret_cast<Object*>(object));
        return object;
    }
    Handle<Object> handle_;
};

/// In the current scope, as a plain pointer.
struct AsPointer {
    template <class T, class... Args>
    T* object(Args&&... args) {
        return make_raw<T>(std::forward<Args>(args)...);
    }
    template <class T, class Function>
    T* with(Function&& function) {
        return make_raw_with<T>(function);
    }
    template <class T, class... Args>
    Array<T>* array(std::size_t size, Args&&... value) {
        return make_raw_array<T>(size, value...);
    }
};

/// In a given scope: the root, an enclosing or a detached one.
template <class S>
struct In {
    S& scope;

    template <class T, class... Args>
    T* object(Args&&... args) {
        return make_raw_in<T>(scope, std::forward<Args>(args)...);
    }
    template <class T, class... Args>
    Array<T>* array(std::size_t size, Args&&... value) {
        return make_array_in<T>(scope, size, value...).get();
    }
};

/// What the edges of such an object are, when it refers to these two.
std::vector<Id> edges_of(Kind kind, std::size_t size, Id first, Id second);

/// Makes what the plan says. Throws what make() throws, and what the builder does.
template <class Place>
Object* construct(Place&& place, const Plan& plan) {
    const Object& head = plan.head;
    Object* const first = plan.first.object;
    Object* const second = plan.second.object;
    switch (head.kind) {
        case Kind::pair:
            return &place.template object<Pair>(head, first, second)->head;
        case Kind::fan: {
            if constexpr (requires { place.template with<Fan>([] { return Fan{}; }); }) {
                return &place.template with<Fan>([&] { return Fan{head, {first, nullptr, second, first}}; })->head;
            } else {
                Fan* const fan = place.template object<Fan>(head);
                fan->ribs[0] = fan->ribs[3] = first;
                fan->ribs[2] = second;
                return &fan->head;
            }
        }
        case Kind::named:
            return place.template object<Named>(head, first, second)->head();
        case Kind::parcel:
            return place.template object<Parcel>(head, first)->head();
        case Kind::crate:
            return &place.template object<Crate>(head, first)->head;
        case Kind::busy:
            return &place.template object<Busy>(head, first)->head;
        case Kind::blob: {
            Blob* const blob = place.template object<Blob>(ExtraBytes{plan.size}, head, first, plan.size);
            fill_behind(*blob);
            return &blob->head;
        }
        case Kind::aligned:
            return &place.template object<Aligned>(head, first)->head;
        case Kind::cells: {
            Array<Cell>& cells = *place.template array<Cell>(plan.size);
            cells[0].head = head;
            cells[0].link = first;
            cells[plan.size - 1].link = second;
            return &cells[0].head;
        }
        case Kind::table: {
            Links* const links = place.template array<Link>(plan.size, first);
            (*links)[plan.size / 2] = second;
            return &place.template object<Table>(head, links)->head;
        }
        case Kind::numbers: {
            Array<Object>& numbers = *place.template array<Object>(plan.size, Object{0, Kind::numbers, head.value});
            numbers[0] = head;
            return &numbers[0];
        }
        case Kind::row: {
            Array<Crate>& crates = *place.template array<Crate>(plan.size);
            crates[0].head = head;
            return &crates[0].head;
        }
        case Kind::built:
            return place.template object<Built>(head, first, *plan.builder)->head();
    }
    return nullptr;
}

}  // namespace perfloc::property
