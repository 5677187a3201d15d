// What the runs cost, side by side.
#pragma once

#include "corpus.hpp"
#include "run.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace index_files {

/// All runs under one collector, one or more, none of which failed.
struct Runs {
    perfloc::Collector collector;
    std::vector<RunResult> results;

    /// The run with the median wall time: every figure shown is of this one run.
    const RunResult& median() const;
};

/// What was indexed and asked, and two of the answers.
void print_work(const Corpus& corpus, const RunResult& result);

/// The table of costs, a column a collector; the table of scope labels; the histogram of pauses. The budget is in nanoseconds.
void print_costs(const std::vector<Runs>& runs, std::int64_t budget);

/// All of it in one line.
void print_brief(const Corpus& corpus, const std::vector<Runs>& runs);

}  // namespace index_files
