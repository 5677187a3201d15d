#pragma once

#include <perfloc/units.hpp>

#include <cstddef>

#include "contest.hpp"

namespace bench {

// One large scope of chains ends, and a main loop goes on with its work and polls until nothing is left to collect.
struct ScopeRun {
    perfloc::Bytes bytes;        // of the scope
    double share = 0;            // of it that escapes
    perfloc::Bytes outside = 0;  // of chains that are alive in the scope around it
    double budget = 100e-6;      // the longest pause aimed at, in seconds
    bool thread = true;          // the collector has one of its own
    bool beside = false;         // another thread copies memory all the time (of the program without a collector)
};

// Times in seconds, of the mutator's thread, in CPU time unless they say wall. See PauseFigures.
enum ScopeFigure : std::size_t {
    kLongest,
    kLongestWall,
    kLongestEnd,
    kLongestPoll,
    kLongestInWork,
    kLongestNoise,  // of the work without the heap, for comparison
    kNoiseP999,
    kNoiseWithin,
    kNoiseUtilization,
    kP99,
    kP999,
    kWithin,
    kSlices,
    kPauseTotal,
    kUtilization,
    kUtilizationOfCalls,
    kSettledWall,  // from the end of the scope until nothing was left to collect
    kProcessCpu,   // of all threads, meanwhile
    kPeak,         // bytes
};

// The run under `hinted`. The checksum is that of what escaped. In a process of its own.
Sample run_hinted_scope(const ScopeRun& run);

// The same program under `none`: kLongestInWork and kUtilization, by which its work varies without a collector, be it alone
// or beside another thread, as the collector's would be.
Sample run_scope_alone(const ScopeRun& run);

// The same graph, and one full collection by the baseline, which is its only pause. In a process of its own.
Sample run_baseline_scope(const ScopeRun& run);

}  // namespace bench
