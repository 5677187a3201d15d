#include "runtime/utilization.hpp"

#include <algorithm>
#include <cstddef>

namespace perfloc::detail {

namespace {

struct Stretch {
    std::chrono::nanoseconds start, end;
};

/// The pauses as stretches that do not overlap, ascending: a destructor that ends a scope pauses inside a pause.
std::vector<Stretch> united(const std::vector<PauseEvent>& pauses) {
    std::vector<Stretch> all;
    all.reserve(pauses.size());
    for (const PauseEvent& pause : pauses) all.push_back({pause.at, pause.at + pause.duration});
    std::sort(all.begin(), all.end(), [](const Stretch& a, const Stretch& b) { return a.start < b.start; });
    std::vector<Stretch> apart;
    for (const Stretch& stretch : all) {
        if (!apart.empty() && stretch.start <= apart.back().end) {
            apart.back().end = std::max(apart.back().end, stretch.end);
        } else {
            apart.push_back(stretch);
        }
    }
    return apart;
}

}  // namespace

double minimum_utilization(const std::vector<PauseEvent>& pauses, std::chrono::nanoseconds window) {
    using std::chrono::nanoseconds;
    if (pauses.empty()) return 1.0;
    if (window <= nanoseconds::zero()) return 0.0;
    const std::vector<Stretch> stretches = united(pauses);
    const nanoseconds whole = window;
    window = std::min(window, nanoseconds::max() / 4);  // longer than any clock has run: no time overflows below
    // As a window slides, its paused time changes its slope only where one of its ends passes one of a pause's. So a
    // worst window begins with a pause, or (seen backwards) ends with one.
    nanoseconds worst{};
    nanoseconds inside{};  // of the stretches first .. i
    for (std::size_t first = 0, i = 0; i < stretches.size(); ++i) {
        inside += stretches[i].end - stretches[i].start;
        const nanoseconds begin = stretches[i].end - window;
        for (; stretches[first].end <= begin; ++first) inside -= stretches[first].end - stretches[first].start;
        worst = std::max(worst, inside - std::max(nanoseconds{}, begin - stretches[first].start));
    }
    inside = {};
    for (std::size_t first = stretches.size(), i = stretches.size(); i-- > 0;) {
        inside += stretches[i].end - stretches[i].start;
        const nanoseconds end = stretches[i].start + window;
        for (; stretches[first - 1].start >= end; --first)
            inside -= stretches[first - 1].end - stretches[first - 1].start;
        worst = std::max(worst, inside - std::max(nanoseconds{}, stretches[first - 1].end - end));
    }
    return 1.0 - static_cast<double>(worst.count()) / static_cast<double>(whole.count());
}

}  // namespace perfloc::detail
