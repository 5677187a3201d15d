#pragma once

#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

#include <vector>

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// Splits a region's cleanups: the dead are appended to `dead`, newest first; the living stay in the list.
void take_dead(HeapCore& heap, const MarkBitmap& marks, Region& region, std::vector<void*>& dead);

/// Runs the destructors in the order given. law [quiet]: polls do nothing meanwhile. Storing a dying object where it would
/// live on aborts, and so does a handle to one that is left. The caller's current region takes what destructors make.
void run_destructors(HeapCore& heap, const std::vector<void*>& dead);

}  // namespace perfloc::gc
