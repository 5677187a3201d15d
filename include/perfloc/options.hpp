#pragma once

#include <perfloc/units.hpp>

#include <chrono>

namespace perfloc {

/// Who reclaims. The environment variable PERFLOC_COLLECTOR (hinted, full or none) overrides the option.
enum class Collector {
    hinted,  ///< listens to the end of scopes
    full,    ///< the baseline: ignores the hints, collects the whole heap in one pause at a poll
    none,    ///< never collects: the reference for what collecting costs
};

/// How memory is backed.
enum class Commit {
    automatic,  ///< on demand where the system overcommits, else in steps
    on_demand,  ///< reserved readable and writable; the kernel backs a page at its first touch
    in_steps,   ///< reserved inaccessible; one readable and writable prefix grows in large steps (strict overcommit)
};

/// What a pause may cost.
struct PauseBudget {
    std::chrono::nanoseconds max = std::chrono::microseconds(100);  ///< the longest pause aimed at
    double utilization = 0.9;                                       ///< the program's least share of any window
    std::chrono::nanoseconds window = std::chrono::milliseconds(10);
};

/// Options of a heap. Every size is in bytes.
struct Options {
    Bytes reserve = 64_GiB;  ///< addresses to ask for; halved until the system grants them
    Bytes limit = 0;         ///< most bytes to commit, no more than `reserve`; 0: the cgroup's limit or the machine's
                             ///< memory, whichever is less
    Bytes soft_limit = 0;    ///< above this a poll begins a collection beside the program (under `full`: of the whole
                             ///< heap, at once); 0: 7/8 of the limit
    Collector collector = Collector::hinted;
    PauseBudget pauses = {};       ///< settable while running: Heap::set_pauses
    bool collector_thread = true;  ///< false: the same code runs in a fiber, in slices of the mutator's time
    double full_growth_factor =
        2.0;                      ///< the baseline collects when the heap has grown to this multiple of what survived
    Bytes full_minimum = 16_MiB;  ///< ... and is at least this large
    Bytes prefault = 0;  ///< bytes whose pages are touched when the heap is made, so that no scope pays for them
    /// Memory that no scope has used for so long is given back to the system, but for a reserve of an eighth of what open
    /// scopes use. By the collector's thread: no pause.
    std::chrono::nanoseconds return_after = std::chrono::seconds(1);
    Commit commit = Commit::automatic;
};

}  // namespace perfloc
