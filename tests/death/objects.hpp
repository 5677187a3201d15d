#pragma once

#include <perfloc/perfloc.hpp>

#include "death/child.hpp"

#include <cstdint>

/// What the death tests make, how they make their heaps, and the children that die.
namespace death {

struct Leaf {
    perfloc::Ref<Leaf> next;
    std::int64_t value;
};

/// Small, and deaf to nothing: the checks are those of the hinted collector.
inline perfloc::Options small_heap() {
    return {.reserve = perfloc::Bytes{64} << 20, .collector = perfloc::Collector::hinted};
}

}  // namespace death
