#pragma once

#include "runtime/heap_core.hpp"

#include <perfloc/scope.hpp>

#include <climits>

/// Regions in their tree: how they begin, merge, and go back to the pool.
namespace perfloc::detail {

/// Nothing outside can name anything in the region, and nothing is left to be done for it.
bool releasable(HeapCore& heap, const Region& region);

/// Gives the region's spans to the pool in O(1), or keeps it with its first span as its parent's spare.
void release_region(HeapCore& heap, Region& region);

/// Gives one of the parked regions to the pool, once nothing will look at it. False when there is none.
bool release_parked(HeapCore& heap);

/// Gives a condemned region's spans, in which nothing is alive, to the pool. O(1) (but for poisoning).
void retire_region(HeapCore& heap, Region& region);

/// All of `region` becomes part of `into`, which encloses it: objects stay where they are, slots, handles and cleanups go
/// along. O(1): up to 8 spans are stamped at once; of more, the region's record says so.
void merge_region(HeapCore& heap, Region& region, Region& into);
/// Before that, where `region` had to wait, or what had waited was merged into it: pointers into it may be as old as its end.
void note_merged(const HeapCore& heap, const Region& region, Region& into);

/// Returns the first spans that spare regions keep, of about so many of them. False when there were none.
bool release_spares(HeapCore& heap, unsigned most = UINT_MAX);
/// The spare regions below `region` go: a few at once, the others (a recursion leaves as many as it was deep) later. O(1).
void drop_spares(HeapCore& heap, Region& region);
/// So many take two microseconds.
inline constexpr unsigned kSparesAtOnce = 16;
/// At most so many of these go to the pool. True if there are more.
bool release_dropped(HeapCore& heap, unsigned most = kSparesAtOnce);

/// All pages of the region name it itself, and no region that was merged into it. O(pages). (A collection beside the program does
/// this as it goes: Settler, Follow.)
void stamp_absorbed(HeapCore& heap, Region& region);

/// A record for a new scope. Where they run out, those of spare and of kept scopes are taken back, and at last what is being
/// collected is ended: a stall. Null when none is left.
Region* new_region(HeapCore& heap, std::uint64_t key, Region* parent);

/// A region for a scope that begins inside `parent`.
Region& open_region(HeapCore& heap, Region& parent, const Label& label);

/// The end of an open region that is not current any more. `enclosing` is where what handles hold goes to. Neither is to be frozen
/// yet (freeze_before_change).
ScopeReport end_region(HeapCore& heap, Region& region, Region& enclosing) noexcept;

}  // namespace perfloc::detail
