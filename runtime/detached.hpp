#pragma once

#include "runtime/heap_core.hpp"

namespace perfloc::detail {

/// A region with a lineage of its own, below the root. Throws OutOfMemory.
Region& open_detached(HeapCore& heap, const Label& label);

}  // namespace perfloc::detail
