#pragma once

#include "api/objects.hpp"

#include <perfloc/perfloc.hpp>

#include <cstdint>
#include <unordered_map>
#include <vector>

/// A copy of an object graph outside the heap, to be compared with it after a collection.
namespace graph {

struct Cell {
    perfloc::Ref<Cell> a, b;
    perfloc::Ref<perfloc::Array<perfloc::Ref<Cell>>> many;
    std::uint64_t id = 0;
};

class Copy {
public:
    explicit Copy(const std::vector<perfloc::Handle<Cell>>& roots) {
        for (const auto& root : roots) roots_.push_back(number_of(root.get()));
        for (std::size_t i = 0; i < cells_.size(); ++i) follow(i);
    }

    std::size_t size() const { return cells_.size(); }
    friend bool operator==(const Copy& x, const Copy& y) { return x.roots_ == y.roots_ && x.nodes_ == y.nodes_; }

private:
    struct Image {
        std::uint64_t id = 0;
        std::vector<std::size_t> refs;
        friend bool operator==(const Image&, const Image&) = default;
    };

    /// Cells are numbered in the order in which they are found, so that equal graphs have equal numbers.
    std::size_t number_of(const Cell* cell) {
        if (cell == nullptr) return 0;
        const auto [at, is_new] = numbers_.emplace(cell, cells_.size() + 1);
        if (is_new) cells_.push_back(cell);
        return at->second;
    }
    void follow(std::size_t i) {
        const Cell* const cell = cells_[i];
        Image image{cell->id, {number_of(cell->a), number_of(cell->b)}};
        if (perfloc::Array<perfloc::Ref<Cell>>* const many = cell->many; many != nullptr) {
            image.refs.push_back(many->size());
            for (Cell* other : *many) image.refs.push_back(number_of(other));
        }
        nodes_.push_back(std::move(image));
    }

    std::vector<std::size_t> roots_;
    std::unordered_map<const Cell*, std::size_t> numbers_;
    std::vector<const Cell*> cells_;
    std::vector<Image> nodes_;
};

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15u + 1) {}
    std::uint64_t below(std::uint64_t n) {
        state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
        return state_ % n;
    }

private:
    std::uint64_t state_;
};

struct Shape {
    int cells = 5000;
    int roots = 20;
    std::size_t extra = 0;  ///< most bytes behind a cell
    std::size_t array = 0;  ///< most elements of a cell's array; 0: no arrays
    double linked = 0.5;    ///< share of the cells that others refer to
};

/// Cells made in the current scope, linked at random (in cycles too), named by handles.
inline std::vector<perfloc::Handle<Cell>> make(Random& random, const Shape& shape) {
    std::vector<Cell*> pool;
    for (int i = 0; i < shape.cells; ++i) {
        const std::size_t extra = shape.extra != 0 ? random.below(shape.extra) : 0;
        Cell* const cell = perfloc::make_raw<Cell>(perfloc::ExtraBytes{extra});
        cell->id = random.below(1u << 30);
        if (shape.array != 0 && random.below(4) == 0)
            cell->many = perfloc::make_raw_array<perfloc::Ref<Cell>>(random.below(shape.array));
        pool.push_back(cell);
    }
    const auto pick = [&]() -> Cell* {
        const auto linked = static_cast<std::uint64_t>(static_cast<double>(pool.size()) * shape.linked);
        return random.below(5) == 0 ? nullptr : pool[random.below(linked + 1) % pool.size()];
    };
    for (Cell* const cell : pool) {
        cell->a = pick();
        cell->b = pick();
        if (cell->many != nullptr) {
            for (auto& slot : std::span(cell->many->data(), cell->many->size())) slot = pick();
        }
    }
    std::vector<perfloc::Handle<Cell>> roots;
    for (int i = 0; i < shape.roots; ++i) roots.emplace_back(pool[random.below(pool.size())]);
    return roots;
}

}  // namespace graph
