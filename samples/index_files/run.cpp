#include "run.hpp"

#include "index.hpp"
#include "progress.hpp"

#include <fmt/format.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace index_files {

namespace {

using Clock = std::chrono::steady_clock;

static_assert(std::is_trivially_copyable_v<RunResult>, "it is copied through a pipe");

std::int64_t nanoseconds(Clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

template <std::size_t N>
void copy_text(std::array<char, N>& to, std::string_view text) {
    to.fill('\0');
    std::copy_n(text.data(), std::min(text.size(), N - 1), to.data());
}

void index_corpus(IndexWriter& writer, const Corpus& corpus, Progress& progress, RunResult& result) {
    FileReader reader;
    for (std::size_t i = 0; i < corpus.files.size(); ++i) {
        progress.show(i);
        const std::string_view text = reader.read(corpus.files[i]);
        Clock::time_point work_done;
        {
            perfloc::Scope scope{"file"};
            writer.add_file(static_cast<std::uint32_t>(i), text);
            work_done = Clock::now();
        }  // the hint: most of this file's objects are garbage now
        perfloc::poll();
        result.longest_stop = std::max(result.longest_stop, nanoseconds(Clock::now() - work_done));
    }
}

void ask_queries(const perfloc::Handle<Index>& index, std::size_t words, RunResult& result) {
    for (const Query& query : make_queries(most_frequent_words(*index, words))) {
        const Answer found = answer(*index, query);
        Answer& best = query.kind == Query::Kind::phrase ? result.most_hits_phrase : result.most_hits_both;
        if (found.hits > best.hits) best = found;
        ++result.queries;
        result.hits += found.hits;
        result.checksum = fold(result.checksum, found.checksum);
        const Clock::time_point answered = Clock::now();
        perfloc::poll();
        result.longest_stop = std::max(result.longest_stop, nanoseconds(Clock::now() - answered));
    }
}

void read_statistics(const perfloc::Heap& heap, const RunOptions& options, RunResult& result) {
    const perfloc::Stats stats = heap.stats();
    const perfloc::PauseHistogram& pauses = stats.pauses();
    result.pauses = pauses.count();
    result.pause_p50 = pauses.percentile(50).count();
    result.pause_p99 = pauses.percentile(99).count();
    result.pause_p999 = pauses.percentile(99.9).count();
    result.pause_max = pauses.max().count();
    result.pause_total = pauses.total().count();
    pauses.for_each_bucket([&](std::uint64_t lower, std::uint64_t /*upper*/, std::uint64_t count) {
        const auto power = static_cast<std::size_t>(std::bit_width(std::max<std::uint64_t>(lower, 1)) - 1);
        result.pause_buckets[std::min(power, kPauseBuckets - 1)] += count;
        if (lower > static_cast<std::uint64_t>(options.budget)) result.over_budget += count;
    });
    for (std::size_t cause = 0; cause < perfloc::kPauseCauses; ++cause) {
        const perfloc::PauseHistogram& of_cause = stats.pauses(static_cast<perfloc::PauseCause>(cause));
        result.cause_count[cause] = of_cause.count();
        result.cause_total[cause] = of_cause.total().count();
        result.cause_max[cause] = of_cause.max().count();
    }
    result.system_calls = stats.system_calls().total();
    result.full_collections = stats.full_collections();
    result.released_bytes = stats.released_bytes();
    result.promoted_bytes = stats.promoted_bytes();
    result.committed_peak = stats.peak_committed_bytes();
    for (const perfloc::LabelStats& label : stats.labels()) {
        if (label.begun == 0 || result.label_count == kMostLabels) continue;
        LabelRow& row = result.labels[result.label_count++];
        copy_text(row.name, label.name);
        row.begun = label.begun;
        row.ended = label.ended;
        row.allocated_bytes = label.allocated_bytes;
        row.released_bytes = label.released_bytes;
        row.promoted_bytes = label.promoted_bytes;
        row.escape_ratio = label.escape_ratio();
    }
}

void work(const Corpus& corpus, perfloc::Collector collector, const RunOptions& options, RunResult& result) {
    const Clock::time_point start = Clock::now();
    perfloc::Heap heap({.limit = options.limit_mib << 20,
                        .collector = collector,
                        .pauses = {.max = std::chrono::nanoseconds(options.budget)}});
    perfloc::Mutator me(heap);
    Progress progress(name_of(collector), corpus.files.size(), options.show_progress);

    perfloc::Scope home{"index"};  // encloses every file's scope: what the index keeps is promoted to it
    IndexWriter writer(home);
    index_corpus(writer, corpus, progress, result);
    const Clock::time_point indexed = Clock::now();
    ask_queries(writer.index(), options.queries, result);
    const Clock::time_point answered = Clock::now();

    result.wall = nanoseconds(answered - start);
    result.indexing = nanoseconds(indexed - start);
    result.querying = nanoseconds(answered - indexed);
    result.terms = writer.index()->terms;
    result.postings = writer.index()->postings;
    result.occurrences = writer.index()->occurrences;
    read_statistics(heap, options, result);
}

void fail(RunResult& result, std::string_view message) {
    result.failed = true;
    copy_text(result.error, message);
}

bool write_all(int descriptor, const RunResult& result) {
    const char* from = reinterpret_cast<const char*>(&result);
    std::size_t left = sizeof result;
    while (left != 0) {
        const ssize_t done = ::write(descriptor, from, left);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        from += done;
        left -= static_cast<std::size_t>(done);
    }
    return true;
}

bool read_all(int descriptor, RunResult& result) {
    char* to = reinterpret_cast<char*>(&result);
    std::size_t left = sizeof result;
    while (left != 0) {
        const ssize_t done = ::read(descriptor, to, left);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        to += done;
        left -= static_cast<std::size_t>(done);
    }
    return true;
}

[[noreturn]] void be_the_child(int descriptor, const Corpus& corpus, perfloc::Collector collector,
                               const RunOptions& options) {
    RunResult result;
    try {
        work(corpus, collector, options, result);
    } catch (const std::bad_alloc& error) {
        fail(result, fmt::format("at --limit {} (MiB): {}", options.limit_mib, error.what()));
    } catch (const std::exception& error) {
        fail(result, error.what());
    }
    ::_exit(write_all(descriptor, result) ? 0 : 1);  // the parent's buffers and exit handlers are not ours
}

}  // namespace

std::string name_of(perfloc::Collector collector) {
    switch (collector) {
        case perfloc::Collector::hinted:
            return "hinted";
        case perfloc::Collector::full:
            return "full";
        case perfloc::Collector::none:
            return "none";
    }
    return "unknown";
}

RunResult run_in_child(const Corpus& corpus, perfloc::Collector collector, const RunOptions& options) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    const pid_t child = ::fork();
    if (child < 0) {
        const int error = errno;
        ::close(ends[0]);
        ::close(ends[1]);
        throw std::system_error(error, std::generic_category(), "fork");
    }
    if (child == 0) {
        ::close(ends[0]);
        be_the_child(ends[1], corpus, collector, options);
    }
    ::close(ends[1]);
    RunResult result;
    const bool complete = read_all(ends[0], result);
    ::close(ends[0]);

    int status = 0;
    rusage usage{};
    while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    result.resident_peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    if (WIFSIGNALED(status)) {
        fail(result, fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status))));
    } else if (!complete) {
        fail(result, fmt::format("ended early, with exit code {}", WEXITSTATUS(status)));
    }
    return result;
}

}  // namespace index_files
