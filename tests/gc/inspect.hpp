#pragma once

#include "runtime/heap_core.hpp"

#include <perfloc/perfloc.hpp>

#include <string>

/// Looks inside the heap of the calling thread's mutator.
namespace inspect {

inline perfloc::detail::HeapCore& core() { return *perfloc::detail::hot.mutator->heap; }
inline perfloc::detail::Region& region(const void* object) { return core().region_at(object); }
inline perfloc::detail::Span& span(const void* object) { return core().pages.span_at(object); }

/// The label of the scope whose region an object is in.
inline std::string scope(const void* object) { return perfloc::detail::LabelTable::name(region(object).label); }

/// How many slots are recorded for the region of an object.
inline std::size_t recorded(const void* object) { return region(object).incoming.size(); }

/// Released memory is held back (stress, AddressSanitizer): where a test needs it used again, this gives it up.
inline void drain_quarantine() {
    if (perfloc::detail::kAsan) core().pool.drain_quarantine();
}

}  // namespace inspect
