#pragma once

#include <perfloc/detail/export.hpp>
#include <perfloc/heap.hpp>

#include <string_view>

/// For a program's own tests: collections beside the program, one step at a time, so that a test decides what happens
/// between two of them. Of heaps with Options::collector_thread = false, by their mutator, under Collector::hinted; the
/// functions that step throw OptionError for another heap, and AttachError on a thread that is not its mutator's. At a
/// PauseBudget::utilization just below 1 (0.999999) the program gives no slices by itself beside, until its heap has grown by
/// 24 MiB (a collection is urgent then).
namespace perfloc::testing {

/// The phase of the collection beside the program: "idle", "gather", "mark", "agree", "sweep", "clear", "destroy", "record",
/// "settle" or "follow". O(1), no safepoint. Of any heap.
PERFLOC_API std::string_view phase(const Heap& heap);

/// Runs the collector for at most `breaths` pieces of its work, where it is its turn (the phases mark and sweep). True if it
/// is its turn still. A piece takes microseconds at most. No safepoint, and none of the mutator's raw pointers ends.
PERFLOC_API bool step_collector(Heap& heap, unsigned breaths);

/// One piece of the mutator's work for a collection, or of the collector's: as the end of a scope would run it, whatever the
/// budget says. Destructors may run; nothing moves. False where nothing could be done without a poll. No safepoint.
PERFLOC_API bool slice(Heap& heap);

/// A safepoint: runs piece by piece until the collection is in that phase (true), or until nothing is left to collect.
PERFLOC_API bool run_to(Heap& heap, std::string_view phase);

}  // namespace perfloc::testing
