#pragma once

#include "runtime/region.hpp"

#include <cstdint>

namespace perfloc::detail {

struct HeapCore;

/// Global handles that were dropped while a collection gathered its roots are roots no longer: in a poll. At most so many.
void drop_ghosts(HeapCore& heap, unsigned most) noexcept;

/// Handles that outlive their mutator (`global`: their heap) read null from then on. Returns how many there were.
std::uint64_t lose_handles(HeapCore& heap, HandleNode& sentinel, bool global);

}  // namespace perfloc::detail
