#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>

namespace index_files {

namespace {

constexpr int kNameWidth = 36;
constexpr int kColumnWidth = 18;

std::string format_duration(std::int64_t nanoseconds) {
    const auto ns = static_cast<double>(nanoseconds);
    if (ns < 1e3) return fmt::format("{} ns", nanoseconds);
    if (ns < 1e6) return fmt::format("{:.1f} us", ns / 1e3);
    if (ns < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
    return fmt::format("{:.2f} s", ns / 1e9);
}

std::string format_bytes(std::uint64_t bytes) {
    const auto count = static_cast<double>(bytes);
    if (count < 1024) return fmt::format("{} B", bytes);
    if (count < 1024 * 1024) return fmt::format("{:.1f} KiB", count / 1024);
    return fmt::format("{:.1f} MiB", count / (1024 * 1024));
}

void print_row(const std::vector<Runs>& runs, std::string_view name,
               const std::function<std::string(const RunResult&)>& figure) {
    fmt::print("{:<{}}", name, kNameWidth);
    for (const Runs& run : runs) fmt::print("{:>{}}", figure(run.median()), kColumnWidth);
    fmt::print("\n");
}

// How many, and the longest.
void print_causes(const std::vector<Runs>& runs) {
    for (std::size_t cause = 0; cause < perfloc::kPauseCauses; ++cause) {
        const bool seen = std::any_of(runs.begin(), runs.end(),
                                      [&](const Runs& run) { return run.median().cause_count[cause] != 0; });
        if (!seen) continue;
        print_row(runs, fmt::format("  {}: count, longest", to_string(static_cast<perfloc::PauseCause>(cause))),
                  [cause](const RunResult& r) {
                      return fmt::format("{}, {}", r.cause_count[cause], format_duration(r.cause_max[cause]));
                  });
    }
}

void print_table(const std::vector<Runs>& runs, std::int64_t budget) {
    fmt::print("{:<{}}", "", kNameWidth);
    for (const Runs& run : runs) fmt::print("{:>{}}", name_of(run.collector), kColumnWidth);
    fmt::print("\n");
    const std::size_t repeats = runs.front().results.size();
    print_row(runs, repeats == 1 ? "wall time" : fmt::format("wall time, median of {}", repeats),
              [](const RunResult& r) { return format_duration(r.wall); });
    if (repeats > 1) {
        fmt::print("{:<{}}", "  fastest to slowest", kNameWidth);
        for (const Runs& run : runs) {
            const auto [least, most] =
                std::minmax_element(run.results.begin(), run.results.end(),
                                    [](const RunResult& a, const RunResult& b) { return a.wall < b.wall; });
            fmt::print("{:>{}}", format_duration(least->wall) + " - " + format_duration(most->wall), kColumnWidth);
        }
        fmt::print("\n");
    }
    print_row(runs, "  indexing", [](const RunResult& r) { return format_duration(r.indexing); });
    print_row(runs, "  queries", [](const RunResult& r) { return format_duration(r.querying); });
    print_row(runs, "pauses", [](const RunResult& r) { return fmt::format("{}", r.pauses); });
    print_row(runs, "  p50", [](const RunResult& r) { return format_duration(r.pause_p50); });
    print_row(runs, "  p99", [](const RunResult& r) { return format_duration(r.pause_p99); });
    print_row(runs, "  p99.9", [](const RunResult& r) { return format_duration(r.pause_p999); });
    print_row(runs, "  max", [](const RunResult& r) { return format_duration(r.pause_max); });
    print_row(runs, fmt::format("  over the budget of {}", format_duration(budget)),
              [](const RunResult& r) { return fmt::format("{}", r.over_budget); });
    print_row(runs, "  total", [](const RunResult& r) { return format_duration(r.pause_total); });
    print_causes(runs);
    print_row(runs, "longest stop, by the program's clock",
              [](const RunResult& r) { return format_duration(r.longest_stop); });
    print_row(runs, "full collections", [](const RunResult& r) { return fmt::format("{}", r.full_collections); });
    print_row(runs, "peak resident memory", [](const RunResult& r) { return format_bytes(r.resident_peak); });
    print_row(runs, "  peak committed by the heap", [](const RunResult& r) { return format_bytes(r.committed_peak); });
    print_row(runs, "system calls of the heap", [](const RunResult& r) { return fmt::format("{}", r.system_calls); });
    print_row(runs, "released in O(1)", [](const RunResult& r) { return format_bytes(r.released_bytes); });
    print_row(runs, "promoted", [](const RunResult& r) { return format_bytes(r.promoted_bytes); });
}

void print_labels(const Runs& run) {
    const RunResult& result = run.median();
    fmt::print("\nscopes under {:<23}{:>10}{:>10}{:>14}{:>14}{:>14}{:>10}\n", name_of(run.collector), "begun", "ended",
               "allocated", "released O(1)", "promoted", "escaped");
    for (std::size_t i = 0; i < result.label_count; ++i) {
        const LabelRow& row = result.labels[i];
        fmt::print("  {:<34}{:>10}{:>10}{:>14}{:>14}{:>14}{:>8.1f} %\n", row.name.data(), row.begun, row.ended,
                   format_bytes(row.allocated_bytes), format_bytes(row.released_bytes),
                   format_bytes(row.promoted_bytes), 100 * row.escape_ratio);
    }
}

// One pause shows even beside a hundred thousand, since the bars are logarithmic.
std::string bar(std::uint64_t count) {
    return count == 0 ? "" : std::string(static_cast<std::size_t>(std::bit_width(count)), '#');
}

void print_histogram(const std::vector<Runs>& runs) {
    constexpr int kCountWidth = 12;
    constexpr int kBarWidth = 22;
    std::size_t first = kPauseBuckets;
    std::size_t last = 0;
    for (const Runs& run : runs) {
        for (std::size_t i = 0; i < kPauseBuckets; ++i) {
            if (run.median().pause_buckets[i] == 0) continue;
            first = std::min(first, i);
            last = std::max(last, i);
        }
    }
    if (first == kPauseBuckets) {
        fmt::print("\nno pauses\n");
        return;
    }
    fmt::print("\npauses by length (a row: twice as long as the one above; one # more: twice as many)\n");
    const auto print_line = [](std::string line) {
        line.erase(line.find_last_not_of(' ') + 1);
        fmt::print("{}\n", line);
    };
    std::string heads(14, ' ');
    for (const Runs& run : runs)
        heads += fmt::format("{:>{}} {:{}}", name_of(run.collector), kCountWidth, "", kBarWidth);
    print_line(heads);
    for (std::size_t i = first; i <= last; ++i) {
        std::string row = fmt::format("from {:>9}", format_duration(std::int64_t{1} << i));
        for (const Runs& run : runs) {
            const std::uint64_t count = run.median().pause_buckets[i];
            row += fmt::format("{:>{}} {:{}}", count, kCountWidth, bar(count), kBarWidth);
        }
        print_line(row);
    }
}

void print_answer(const Corpus& corpus, const Answer& answer) {
    if (answer.hits == 0) return;
    fmt::print("  {} in {} files, most often in {}:{}\n", answer.question.data(), answer.hits,
               corpus.files[answer.best_document].string(), answer.best_line);
}

}  // namespace

const RunResult& Runs::median() const {
    std::vector<const RunResult*> order;
    for (const RunResult& result : results) order.push_back(&result);
    std::sort(order.begin(), order.end(), [](const RunResult* a, const RunResult* b) { return a->wall < b->wall; });
    return *order[order.size() / 2];
}

void print_work(const Corpus& corpus, const RunResult& result) {
    fmt::print("{} text files, {} below {} (skipped: {} binary, {} over {}, {} unreadable)\n", corpus.files.size(),
               format_bytes(corpus.bytes), corpus.directory.string(), corpus.skipped_binary, corpus.skipped_large,
               format_bytes(kLargestFile), corpus.skipped_unreadable);
    fmt::print("{} words, {} of them distinct, {} postings; {} queries with {} hits, checksum {:016x}, such as\n",
               result.occurrences, result.terms, result.postings, result.queries, result.hits, result.checksum);
    print_answer(corpus, result.most_hits_both);
    print_answer(corpus, result.most_hits_phrase);
    fmt::print("\n");
}

void print_costs(const std::vector<Runs>& runs, std::int64_t budget) {
    print_table(runs, budget);
    for (const Runs& run : runs) print_labels(run);
    print_histogram(runs);
}

void print_brief(const Corpus& corpus, const std::vector<Runs>& runs) {
    const RunResult& result = runs.front().median();
    fmt::print("{} files, {} words, {} queries with {} hits, checksum {:016x}", corpus.files.size(), result.occurrences,
               result.queries, result.hits, result.checksum);
    for (const Runs& run : runs) {
        fmt::print("; {} {}, longest pause {}", name_of(run.collector), format_duration(run.median().wall),
                   format_duration(run.median().pause_max));
    }
    fmt::print("\n");
}

}  // namespace index_files
