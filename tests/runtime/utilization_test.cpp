#include "support/catch.hpp"

#include "runtime/utilization.hpp"

#include <algorithm>
#include <utility>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

/// Pauses from (begin, duration).
std::vector<PauseEvent> pauses(const std::vector<std::pair<int, int>>& stretches) {
    std::vector<PauseEvent> all;
    for (const auto& [at, duration] : stretches) {
        PauseEvent pause;
        pause.at = nanoseconds(at);
        pause.duration = nanoseconds(duration);
        all.push_back(pause);
    }
    return all;
}

double mmu(const std::vector<std::pair<int, int>>& stretches, int window) {
    return minimum_utilization(pauses(stretches), nanoseconds(window));
}

/// Every window that begins at a whole nanosecond.
double tried(const std::vector<std::pair<int, int>>& stretches, int window, int last) {
    std::vector<bool> paused(static_cast<std::size_t>(last + 2 * window));
    for (const auto& [at, duration] : stretches) {
        for (int t = at; t < at + duration; ++t) paused[static_cast<std::size_t>(t + window)] = true;
    }
    long worst = 0;
    for (auto at = paused.begin(); paused.end() - at >= window; ++at)
        worst = std::max<long>(worst, std::count(at, at + window, true));
    return 1.0 - static_cast<double>(worst) / window;
}

}  // namespace

TEST_CASE("without pauses all of any window is the program's") {
    CHECK(mmu({}, 100) == 1.0);
    CHECK(mmu({}, 0) == 1.0);
}

TEST_CASE("a pause as long as the window leaves nothing of it") {
    CHECK(mmu({{50, 10}}, 10) == 0.0);
    CHECK(mmu({{50, 10}}, 5) == 0.0);
    CHECK(mmu({{50, 10}}, 0) == 0.0);
    CHECK(mmu({{50, 10}}, 100) == Approx(0.9));
}

TEST_CASE("pauses that lie close together count together") {
    CHECK(mmu({{0, 10}, {20, 10}, {500, 10}}, 30) == Approx(1.0 - 20.0 / 30));
    CHECK(mmu({{0, 10}, {20, 10}}, 25) == Approx(1.0 - 15.0 / 25));
    CHECK(mmu({{0, 1}, {20, 10}}, 15) == Approx(1.0 - 10.0 / 15));
}

TEST_CASE("a window longer than any clock has run has the utilization of all of it") {
    std::vector<PauseEvent> pauses(2);
    pauses[0].at = 1h, pauses[1].at = 2h;
    pauses[0].duration = pauses[1].duration = 1s;
    for (const auto window :
         {std::chrono::nanoseconds::max(), std::chrono::nanoseconds(std::chrono::hours(24 * 365 * 290))}) {
        CHECK(perfloc::detail::minimum_utilization(pauses, window) == Approx(1.0));
    }
}

TEST_CASE("a pause inside a pause counts once, whichever was recorded first") {
    CHECK(mmu({{10, 5}, {0, 20}, {15, 10}}, 100) == Approx(0.75));
}

TEST_CASE("the least utilization is what trying every window finds") {
    std::uint64_t random = 88172645463325252u;
    const auto below = [&](int n) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        return static_cast<int>(random % static_cast<std::uint64_t>(n));
    };
    for (int round = 0; round < 300; ++round) {
        std::vector<std::pair<int, int>> stretches;
        for (int i = below(12); i >= 0; --i) stretches.emplace_back(below(400), below(40));
        const int window = 1 + below(150);
        INFO("round " << round << ", window " << window);
        REQUIRE(mmu(stretches, window) == Approx(tried(stretches, window, 500)).margin(1e-12));
    }
}
