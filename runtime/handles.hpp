#pragma once

#include "runtime/region.hpp"

#include <atomic>
#include <cstdint>

namespace perfloc::detail {

struct HeapCore;

/// A global handle that is in no list any more, with the lock held: other threads ask whose it is before they take the lock.
inline void disown(HandleNode& node) noexcept { std::atomic_ref(node.owner).store(nullptr, std::memory_order_relaxed); }

/// Global handles that were dropped while a collection gathered its roots are roots no longer: in a poll. At most so many.
void drop_ghosts(HeapCore& heap, unsigned most) noexcept;

/// Handles that outlive their mutator (`global`: their heap) read null from then on. Returns how many there were.
std::uint64_t lose_handles(HeapCore& heap, HandleNode& sentinel, bool global);

}  // namespace perfloc::detail
