#include "types.hpp"

#include "construct.hpp"

#include <algorithm>

namespace perfloc::property {

namespace {

template <class T>
T& as(Object* object) {
    return *reinterpret_cast<T*>(object);
}

unsigned char byte_of(std::uint64_t value, std::uint64_t i) { return static_cast<unsigned char>(value + i); }

}  // namespace

void Busy::work() noexcept {
    try {
        Scope scope{"in a destructor"};
        Handle<Pair> last;
        for (int i = 0; i < 3; ++i) last = make<Pair>(Object{}, last ? &last->head : nullptr, nullptr);
        poll();  // law [quiet]
    } catch (const AttachError&) {
        // The heap itself is destroyed.
    } catch (const OutOfMemory&) {
        // As good as done: nothing waits for it.
    }
}

std::vector<Id> edges_of(Kind kind, std::size_t size, Id first, Id second) {
    switch (kind) {
        case Kind::pair:
        case Kind::named:
            return {first, second};
        case Kind::fan:
            return {first, 0, second, first};
        case Kind::cells: {
            std::vector<Id> edges(size);
            edges.front() = first;
            edges.back() = second;
            return edges;
        }
        case Kind::table: {
            std::vector<Id> edges(size, first);
            edges[size / 2] = second;
            return edges;
        }
        case Kind::numbers:
        case Kind::row:
            return {};
        case Kind::built:
            return {first, 0};
        default:
            return {first};
    }
}

std::size_t edge_count(Object* object) {
    switch (object->kind) {
        case Kind::pair:
        case Kind::named:
        case Kind::built:
            return 2;
        case Kind::fan:
            return 4;
        case Kind::parcel:
        case Kind::crate:
        case Kind::busy:
        case Kind::blob:
        case Kind::aligned:
            return 1;
        case Kind::cells:
            return as<Array<Cell>>(object).size();
        case Kind::table:
            return as<Table>(object).links->size();
        case Kind::numbers:
        case Kind::row:
            return 0;
    }
    return 0;
}

Link& edge(Object* object, std::size_t i) {
    switch (object->kind) {
        case Kind::pair:
            return i == 0 ? as<Pair>(object).left : as<Pair>(object).right;
        case Kind::fan:
            return as<Fan>(object).ribs[i];
        case Kind::named:
            return as<Named>(object).link(i);
        case Kind::parcel:
            return as<Parcel>(object).link();
        case Kind::crate:
            return as<Crate>(object).inside;
        case Kind::busy:
            return as<Busy>(object).inside;
        case Kind::blob:
            return as<Blob>(object).link;
        case Kind::aligned:
            return as<Aligned>(object).link;
        case Kind::cells:
            return as<Array<Cell>>(object)[i].link;
        case Kind::table:
            return (*as<Table>(object).links)[i];
        default:
            return as<Built>(object).link(i);
    }
}

bool intact(Object* object) {
    switch (object->kind) {
        case Kind::named:
            return as<Named>(object).intact();
        case Kind::parcel:
            return as<Parcel>(object).intact();
        case Kind::blob: {
            Blob& blob = as<Blob>(object);
            const auto holds = [&](std::uint64_t i) { return blob.bytes()[i] == byte_of(object->value, i); };
            const std::uint64_t step = std::max<std::uint64_t>(1, blob.size / 64);
            for (std::uint64_t i = 0; i < blob.size; i += step) {
                if (!holds(i)) return false;
            }
            return blob.size == 0 || holds(blob.size - 1);
        }
        case Kind::aligned:
            return reinterpret_cast<std::uintptr_t>(object) % alignof(Aligned) == 0;
        case Kind::numbers: {
            Array<Object>& numbers = as<Array<Object>>(object);
            return std::all_of(numbers.begin(), numbers.end(),
                               [&](const Object& element) { return element.value == object->value; });
        }
        default:
            return true;
    }
}

void fill_behind(Blob& blob) {
    for (std::uint64_t i = 0; i < blob.size; ++i) blob.bytes()[i] = byte_of(blob.head.value, i);
}

bool has_destructor(Kind kind) {
    switch (kind) {
        case Kind::named:
        case Kind::parcel:
        case Kind::crate:
        case Kind::busy:
        case Kind::row:
        case Kind::built:
            return true;
        default:
            return false;
    }
}

const char* name_of(Kind kind) {
    static constexpr const char* kNames[kKinds] = {"pair",    "fan",   "named", "parcel",  "crate", "busy", "blob",
                                                   "aligned", "cells", "table", "numbers", "row",   "built"};
    return kNames[static_cast<std::uint32_t>(kind)];
}

}  // namespace perfloc::property
