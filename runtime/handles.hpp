#pragma once

#include "runtime/region.hpp"

#include <cstdint>

namespace perfloc::detail {

struct HeapCore;

/// Handles that outlive their mutator (`global`: their heap) read null from then on. Returns how many there were.
std::uint64_t lose_handles(HeapCore& heap, HandleNode& sentinel, bool global);

}  // namespace perfloc::detail
