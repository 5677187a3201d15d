#pragma once

#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

#include <cstdint>

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// Splits a region's cleanups: the dead are appended to `dead`, newest first; the living stay in the list.
void take_dead(HeapCore& heap, const MarkBitmap& marks, Region& region, detail::List<void*>& dead);

/// What the region's destructors are counted as: an array's elements, which are mostly short work, as an eighth each. Beyond
/// `most` no closer. O(most).
std::uint64_t count_destructors(const Region& region, std::uint64_t most);

/// Runs the destructors in the order given. law [quiet]: polls do nothing meanwhile. Storing a dying object where it would
/// live on aborts, and so does a handle to one that is left. The caller's current region takes what destructors make.
void run_destructors(HeapCore& heap, const detail::List<void*>& dead);
/// The same for one object; of an array for at most so many elements, behind the first `done`, which are destroyed already. True
/// when all are.
bool run_some_destructors(HeapCore& heap, void* object, std::uint64_t& done, std::uint64_t most);

}  // namespace perfloc::gc
