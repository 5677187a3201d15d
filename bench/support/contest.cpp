#include "contest.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace bench {

void Contest::add(std::string name, std::function<Sample()> run) {
    contenders_.push_back({std::move(name), std::move(run), {}});
}

void Contest::run(int rounds, bool warm_up) {
    if (warm_up) {
        for (Contender& contender : contenders_) contender.run();
    }
    for (int round = 0; round < rounds; ++round) {
        for (Contender& contender : contenders_) {
            contender.samples.push_back(contender.run());
            const std::uint64_t got = contender.samples.back().checksum;
            const std::uint64_t expected = contenders_.front().samples.front().checksum;
            if (got != expected) {
                fmt::print(stderr, "bench: {}: checksums differ: {} computed {:#x}, {} computed {:#x}\n", title_,
                           contenders_.front().name, expected, contender.name, got);
                std::exit(1);
            }
        }
    }
    fmt::print("{}: checksum {:#x} ({} contenders, {} rounds)\n", title_, contenders_.front().samples.front().checksum,
               contenders_.size(), rounds);
}

const std::vector<Sample>& Contest::samples(std::string_view name) const {
    const auto found = std::find_if(contenders_.begin(), contenders_.end(),
                                    [&](const Contender& contender) { return contender.name == name; });
    if (found == contenders_.end()) {
        fmt::print(stderr, "bench: no contender is called {}\n", name);
        std::exit(1);
    }
    return found->samples;
}

Spread Contest::figure(std::string_view name, std::size_t figure) const {
    std::vector<double> values;
    for (const Sample& sample : samples(name)) values.push_back(sample.figures.at(figure));
    return spread_of(std::move(values));
}

Spread Contest::ratio(std::string_view ours, std::string_view theirs, std::size_t figure) const {
    const auto& left = samples(ours);
    const auto& right = samples(theirs);
    std::vector<double> values;
    for (std::size_t round = 0; round < left.size(); ++round) {
        values.push_back(left[round].figures.at(figure) / right[round].figures.at(figure));
    }
    return spread_of(std::move(values));
}

std::string Contest::fastest(std::initializer_list<std::string_view> names, std::size_t figure) const {
    return std::string(*std::min_element(names.begin(), names.end(), [&](std::string_view a, std::string_view b) {
        return this->figure(a, figure).median < this->figure(b, figure).median;
    }));
}

}  // namespace bench
