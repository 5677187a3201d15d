// The same work under one collector, in a process of its own, so that its peak of resident memory is its own.
#pragma once

#include "corpus.hpp"
#include "queries.hpp"

#include <perfloc/perfloc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace index_files {

struct RunOptions {
    std::size_t limit_mib = 2048;
    std::size_t queries = 16;
    std::int64_t budget = 100'000;  // the longest pause aimed at, in nanoseconds
    bool show_progress = true;
};

/// A power of two of nanoseconds each: bucket i counts the pauses from 2^i up to 2^(i+1).
inline constexpr std::size_t kPauseBuckets = 48;
inline constexpr std::size_t kMostLabels = 8;

struct LabelRow {
    std::array<char, 32> name{};
    std::uint64_t begun = 0, ended = 0;
    std::uint64_t allocated_bytes = 0, released_bytes = 0, promoted_bytes = 0;
    double escape_ratio = 0;
};

/// What one run found and cost. Plain values only: it comes through a pipe. Times are in nanoseconds.
struct RunResult {
    std::int64_t wall = 0, indexing = 0, querying = 0;
    std::uint64_t terms = 0, postings = 0, occurrences = 0;

    std::uint64_t queries = 0, hits = 0, checksum = 0;
    Answer most_hits_both{}, most_hits_phrase{};

    std::uint64_t pauses = 0;
    std::uint64_t over_budget = 0;  // pauses, to within a bucket of the histogram: 3 %
    std::int64_t pause_p50 = 0, pause_p99 = 0, pause_p999 = 0, pause_max = 0, pause_total = 0;
    std::array<std::uint64_t, kPauseBuckets> pause_buckets{};
    std::array<std::uint64_t, perfloc::kPauseCauses> cause_count{};
    std::array<std::int64_t, perfloc::kPauseCauses> cause_total{}, cause_max{};
    std::int64_t longest_stop = 0;  // timed by the program: a file's end and a poll, or a poll

    std::uint64_t system_calls = 0, full_collections = 0;
    std::uint64_t released_bytes = 0, promoted_bytes = 0, committed_peak = 0;
    std::uint64_t resident_peak = 0;  // as the system saw it, from wait4()

    std::array<LabelRow, kMostLabels> labels{};
    std::size_t label_count = 0;

    bool failed = false;
    std::array<char, 512> error{};
};

std::string name_of(perfloc::Collector collector);

/// Forks, does the work, and waits. A failure in the child, even its death, comes back in the result.
/// Call it while the process has no heap and no threads. Throws std::system_error if it cannot fork.
RunResult run_in_child(const Corpus& corpus, perfloc::Collector collector, const RunOptions& options);

}  // namespace index_files
