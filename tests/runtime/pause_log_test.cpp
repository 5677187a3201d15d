#include "support/catch.hpp"

#include "runtime/pause_log.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST_CASE("buckets tile the durations without gap or overlap, each at most a 32nd of its value wide") {
    for (std::size_t i = 0; i + 1 < PauseHistogram::kBuckets; ++i) {
        const std::uint64_t lower = PauseHistogram::lower_bound(i);
        const std::uint64_t upper = PauseHistogram::lower_bound(i + 1);
        REQUIRE(lower < upper);
        REQUIRE(PauseHistogram::bucket_of(lower) == i);
        REQUIRE(PauseHistogram::bucket_of(upper - 1) == i);
        REQUIRE((upper - lower - 1) * 32 <= lower);
    }
    CHECK(PauseHistogram::bucket_of(0) == 0);
    CHECK(PauseHistogram::bucket_of(std::numeric_limits<std::uint64_t>::max()) == PauseHistogram::kBuckets - 1);
}

TEST_CASE("a percentile is never below the truth and at most 3.2 percent above it") {
    std::vector<std::int64_t> durations;
    PauseHistogram histogram;
    std::uint64_t random = 88172645463325252u;
    for (int i = 0; i < 20000; ++i) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const auto ns = static_cast<std::int64_t>(std::exp2(static_cast<double>(random % 3400) / 100.0));
        durations.push_back(ns);
        histogram.record(nanoseconds(ns));
    }
    std::sort(durations.begin(), durations.end());
    for (const double percent : {0.0, 0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
        const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(percent / 100 * 20000)));
        const auto truth = static_cast<double>(durations[rank - 1]);
        const auto reported = static_cast<double>(histogram.percentile(percent).count());
        INFO(percent << " percent: " << truth << " reported as " << reported);
        CHECK(reported >= truth);
        CHECK(reported <= truth * 1.032 + 1);
    }
    CHECK(histogram.percentile(-5) == histogram.percentile(0));
    CHECK(histogram.percentile(500) == histogram.max());
}

TEST_CASE("count, total and maximum are exact") {
    PauseHistogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.percentile(50) == 0ns);
    CHECK(histogram.max() == 0ns);
    for (const nanoseconds duration : {5ns, 1000000ns, 77ns, 0ns, nanoseconds(-3)}) histogram.record(duration);
    CHECK(histogram.count() == 5);
    CHECK(histogram.total() == 1000082ns);
    CHECK(histogram.max() == 1000000ns);
    CHECK(histogram.percentile(100) == 1000000ns);
}

TEST_CASE("every pause is in one of the buckets that are shown, in ascending order") {
    PauseHistogram histogram;
    for (int i = 0; i < 1000; ++i) histogram.record(nanoseconds(i * i));
    std::uint64_t n = 0;
    std::uint64_t last = 0;
    histogram.for_each_bucket([&](std::uint64_t lower, std::uint64_t upper, std::uint64_t count) {
        CHECK(lower >= last);
        CHECK(upper > lower);
        CHECK(count > 0);
        last = upper;
        n += count;
    });
    CHECK(n == 1000);
}

TEST_CASE("a pause is counted under its cause and in all") {
    PauseLog log;
    const std::uint64_t now = TickClock::now();
    log.record(PauseCause::full, now, 100ns, 10, 5, "x");
    log.record(PauseCause::promotion, now, 200ns, 20, 5, "y");
    log.record(PauseCause::promotion, now, 300ns, 30, 5, "z");
    CHECK(log.all().count() == 3);
    CHECK(log.of(PauseCause::full).count() == 1);
    CHECK(log.of(PauseCause::promotion).total() == 500ns);
    CHECK(log.of(PauseCause::collection).count() == 0);
}

TEST_CASE("the log keeps the last 4096 pauses, oldest first") {
    PauseLog log;
    CHECK(log.last().empty());
    const std::uint64_t now = TickClock::now();
    for (int i = 1; i <= 10; ++i) log.record(PauseCause::full, now, nanoseconds(i), 1, 2, "few");
    REQUIRE(log.last().size() == 10);
    CHECK(log.last().front().number == 1);
    CHECK(log.last().front().duration == 1ns);
    for (int i = 11; i <= 10'000; ++i) log.record(PauseCause::stall, now, nanoseconds(i), 7, 3, "many", 9ns);
    const std::vector<PauseEvent> events = log.last();
    REQUIRE(events.size() == 4096);
    CHECK(events.front().number == 5905);
    CHECK(events.back().number == 10'000);
    CHECK(events.back().duration == 10'000ns);
    CHECK(events.back().time_to_stop == 9ns);
    CHECK(events.back().looked_at_bytes == 7);
    CHECK(events.back().survived_bytes == 3);
    CHECK(events.back().label == "many");
    CHECK(events.back().cause == PauseCause::stall);
}

TEST_CASE("a pause is stamped with its beginning, since the log was made") {
    PauseLog log;
    const Stopwatch watch;
    while (watch.elapsed() < 2ms) {
    }
    const std::uint64_t start = TickClock::now();
    log.record(PauseCause::full, start, 1ns, 0, 0, "x");
    const PauseEvent first = log.newest();
    CHECK(first.number == 1);
    CHECK(first.at >= 2ms);
    log.record(PauseCause::full, TickClock::now(), 1ns, 0, 0, "x");
    CHECK(log.newest().at >= first.at);
    CHECK(log.newest().number == 2);
    CHECK(log.last().front().at == first.at);
}

TEST_CASE("each cause of a pause has a name of its own") {
    std::set<std::string> names;
    for (std::size_t i = 0; i < kPauseCauses; ++i) names.emplace(to_string(static_cast<PauseCause>(i)));
    CHECK(names.size() == kPauseCauses);
    CHECK(names.count("?") == 0);
    CHECK(to_string(static_cast<PauseCause>(200)) == "?");
}
