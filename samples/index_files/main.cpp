// Indexes every text file below a directory and asks questions, once under each collector, and compares.
#include "corpus.hpp"
#include "report.hpp"
#include "run.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <perfloc/perfloc.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace index_files;

constexpr int kFailed = 1;  // a run failed, or the answers differ
constexpr int kBadInput = 2;

struct Options {
    std::string directory = "/usr/include";
    std::string collector = "both";
    std::size_t max_files = 0;
    std::size_t repeat = 1;
    int budget_us = 100;
    bool quiet = false;
    RunOptions run;
};

void declare(CLI::App& app, Options& options) {
    app.add_option("--dir", options.directory, "the directory to index")->capture_default_str();
    app.add_option("--collector", options.collector, "hinted, full, none, or both: hinted and full, in turn")
        ->envname("PERFLOC_COLLECTOR")
        ->check(CLI::IsMember({"hinted", "full", "none", "both"}))
        ->capture_default_str();
    app.add_option("--limit", options.run.limit_mib, "the heap's hard limit in MiB")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))
        ->capture_default_str();
    app.add_option("--max-files", options.max_files, "index so many files at most; 0: all")
        ->check(CLI::Range(0, 1'000'000'000))
        ->capture_default_str();
    app.add_option("--repeat", options.repeat, "runs under each collector, in turn; the median is shown")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--queries", options.run.queries, "how many of the most frequent words to combine in queries")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app.add_option("--budget", options.budget_us, "the longest pause that `hinted` aims at, in microseconds")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_flag("--quiet", options.quiet, "one line of output, no progress");
}

std::vector<Runs> collectors_to_run(const std::string& name) {
    if (name == "hinted") return {{perfloc::Collector::hinted, {}}};
    if (name == "full") return {{perfloc::Collector::full, {}}};
    if (name == "none") return {{perfloc::Collector::none, {}}};
    return {{perfloc::Collector::hinted, {}}, {perfloc::Collector::full, {}}};
}

// What every run must agree on, whatever the collector.
bool same_answers(const RunResult& a, const RunResult& b) {
    return a.checksum == b.checksum && a.hits == b.hits && a.queries == b.queries && a.terms == b.terms &&
           a.postings == b.postings && a.occurrences == b.occurrences;
}

int compare(const Options& options) {
    const Corpus corpus = find_corpus(options.directory, options.max_files, options.run.show_progress);
    std::vector<Runs> runs = collectors_to_run(options.collector);
    // Interleaved (A B A B ...), so that what else the machine does meets all of them alike.
    for (std::size_t round = 0; round < options.repeat; ++round) {
        for (Runs& of_one : runs) {
            of_one.results.push_back(run_in_child(corpus, of_one.collector, options.run));
            const RunResult& latest = of_one.results.back();
            if (latest.failed) {
                fmt::print(stderr, "index_files: the run under {} failed: {}\n", name_of(of_one.collector),
                           latest.error.data());
                return kFailed;
            }
            const RunResult& reference = runs.front().results.front();
            if (!same_answers(latest, reference)) {
                fmt::print(stderr,
                           "index_files: {} and {} give different answers: hits {}, {}; checksums {:016x}, {:016x}\n",
                           name_of(runs.front().collector), name_of(of_one.collector), reference.hits, latest.hits,
                           reference.checksum, latest.checksum);
                return kFailed;
            }
        }
    }
    if (options.quiet) {
        print_brief(corpus, runs);
    } else {
        print_work(corpus, runs.front().median());
        print_costs(runs, options.run.budget);
    }
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category(), "standard output");
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"An inverted index of the text files below a directory, built on a perfloc heap under two collectors"};
    Options options;
    declare(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? EXIT_SUCCESS : kBadInput;
    }
    options.run.show_progress = !options.quiet;
    options.run.budget = std::int64_t{options.budget_us} * 1000;
    ::unsetenv("PERFLOC_COLLECTOR");  // it chose --collector above, and would override each run's own choice

    try {
        return compare(options);
    } catch (const InputError& error) {
        fmt::print(stderr, "index_files: {}\n", error.what());
        return kBadInput;
    } catch (const std::exception& error) {
        fmt::print(stderr, "index_files: {}\n", error.what());
        return kFailed;
    }
}
