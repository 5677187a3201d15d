#pragma once

#include "runtime/region.hpp"

#include <atomic>
#include <cstdint>

namespace perfloc::detail {

struct HeapCore;

/// A global handle that is in no list any more, with the lock held, at last: other threads ask whose it is before they take the lock,
/// and where it is nobody's (acquire) may give the node's memory back.
inline void disown(HandleNode& node) noexcept { std::atomic_ref(node.owner).store(nullptr, std::memory_order_release); }

/// Global handles that were dropped while a collection gathered its roots are roots no longer: in a poll. An eighth of them, so that
/// there is an end to them however many come; no fewer and no more than these.
void drop_ghosts(HeapCore& heap, std::size_t least, std::size_t most) noexcept;
inline void drop_all_ghosts(HeapCore& heap) noexcept { drop_ghosts(heap, SIZE_MAX, SIZE_MAX); }

/// Handles that outlive their mutator (`global`: their heap) read null from then on. Returns how many there were.
std::uint64_t lose_handles(HeapCore& heap, HandleNode& sentinel, bool global);

}  // namespace perfloc::detail
