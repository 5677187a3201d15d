#include "pauses.hpp"

#include <fmt/core.h>

#include "stats.hpp"

namespace bench {

namespace {

constexpr std::int64_t kSlice = 1000;  // ns: a poll below it had nothing to do

double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

double longest(const std::vector<Pause>& pauses) {
    std::int64_t most = 0;
    for (const Pause& pause : pauses) most = std::max(most, pause.cpu);
    return seconds(most);
}

// What lies in the window that begins at `from`, of pauses from number `at` on.
std::int64_t taken(const std::vector<Pause>& pauses, std::size_t at, std::int64_t from, std::int64_t window) {
    std::int64_t sum = 0;
    for (; at < pauses.size() && pauses[at].begin < from + window; ++at) {
        const std::int64_t begin = std::max(from, pauses[at].begin);
        const std::int64_t end = std::min(from + window, pauses[at].begin + pauses[at].cpu);
        sum += std::max<std::int64_t>(0, end - begin);
    }
    return sum;
}

std::vector<Pause> excess(const std::vector<Pause>& work) {
    std::vector<double> times;
    for (const Pause& part : work) times.push_back(static_cast<double>(part.cpu));
    const auto median = static_cast<std::int64_t>(percentile(times, 0.5));
    std::vector<Pause> pauses;
    for (const Pause& part : work) {
        if (part.cpu > 2 * median) pauses.push_back({part.begin, part.wall - median, part.cpu - median});
    }
    return pauses;
}

}  // namespace

double minimum_utilization(const std::vector<Pause>& pauses, std::int64_t window, std::int64_t begin,
                           std::int64_t end) {
    std::int64_t most = 0;
    std::size_t first = 0;  // the first that reaches into the window that ends with pause i
    for (std::size_t i = 0; i < pauses.size(); ++i) {
        most = std::max(most, taken(pauses, i, std::min(pauses[i].begin, end - window), window));
        const std::int64_t from = std::max(begin, pauses[i].begin + pauses[i].cpu - window);
        while (pauses[first].begin + pauses[first].cpu < from) ++first;
        most = std::max(most, taken(pauses, first, from, window));
    }
    return 1 - static_cast<double>(std::min(most, window)) / static_cast<double>(window);
}

std::vector<Pause> PauseLog::calls(std::vector<Pause> all) const {
    for (const Part which : {Part::end, Part::poll}) all.insert(all.end(), part(which).begin(), part(which).end());
    std::sort(all.begin(), all.end(), [](const Pause& a, const Pause& b) { return a.begin < b.begin; });
    return all;
}

PauseFigures PauseLog::figures() const {
    PauseFigures figures;
    const std::vector<Pause> all = calls(excess(part(Part::work)));
    if (all.empty()) return figures;

    std::vector<double> slices;
    double within = 0;
    for (const Pause& pause : all) {
        figures.longest_wall = std::max(figures.longest_wall, seconds(pause.wall));
        if (pause.cpu < kSlice) continue;
        slices.push_back(seconds(pause.cpu));
        figures.total += slices.back();
        within += pause.cpu <= budget_;
    }
    figures.longest = longest(all);
    figures.longest_end = longest(part(Part::end));
    figures.longest_poll = longest(part(Part::poll));
    figures.longest_in_work = longest(excess(part(Part::work)));
    const std::vector<Pause> noise = excess(part(Part::own));
    figures.longest_noise = longest(noise);
    double beyond = 0;
    for (const Pause& gap : noise) beyond += gap.cpu > budget_;
    if (!part(Part::own).empty()) figures.noise_within = 1 - beyond / static_cast<double>(part(Part::own).size());
    std::vector<double> own;
    for (const Pause& work : part(Part::own)) own.push_back(seconds(work.cpu));
    const double median = percentile(own, 0.5);
    figures.noise_p999 = percentile(own, 0.999) - median;
    figures.slices = static_cast<double>(slices.size());
    if (!slices.empty()) figures.within = within / figures.slices;
    figures.p99 = percentile(slices, 0.99);
    figures.p999 = percentile(slices, 0.999);
    const auto least_share = [&](const std::vector<Pause>& pauses) {
        return minimum_utilization(pauses, static_cast<std::int64_t>(kWindow * 1e9), all.front().begin,
                                   all.back().begin + all.back().cpu);
    };
    figures.utilization = least_share(all);
    figures.noise_utilization = least_share(noise);
    figures.utilization_of_calls = least_share(calls());
    return figures;
}

double print_clock_cost() {
    std::vector<double> costs;
    for (int i = 0; i < 10'000; ++i) {
        const std::int64_t start = thread_cpu_ns();
        costs.push_back(seconds(thread_cpu_ns() - start));
    }
    const double cost = percentile(costs, 0.5);
    fmt::print("one reading of the CPU clock takes {:.2f} us, which every long pause below contains\n", cost * 1e6);
    return cost;
}

}  // namespace bench
