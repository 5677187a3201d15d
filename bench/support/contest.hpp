#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stats.hpp"

namespace bench {

// What one run of one contender gave: what it computed, and its figures, the first of which is its time in seconds.
struct Sample {
    std::uint64_t checksum = 0;
    std::array<double, 24> figures{};
};

// Contenders that do the same work take turns (A B C A B C ...), so that a slow second of the machine hits all of them.
class Contest {
public:
    explicit Contest(std::string title) : title_(std::move(title)) {}

    void add(std::string name, std::function<Sample()> run);

    // Every contender once unmeasured if `warm_up`, then `rounds` turns. Prints the checksum of the work, and ends the
    // process if two contenders computed different ones.
    void run(int rounds, bool warm_up = true);

    Spread figure(std::string_view name, std::size_t figure = 0) const;

    // Of the ratios of each round, not the ratio of two medians.
    Spread ratio(std::string_view ours, std::string_view theirs, std::size_t figure = 0) const;

    // The one of `names` with the smallest median.
    std::string fastest(std::initializer_list<std::string_view> names, std::size_t figure = 0) const;

    const std::vector<Sample>& samples(std::string_view name) const;

private:
    struct Contender {
        std::string name;
        std::function<Sample()> run;
        std::vector<Sample> samples;
    };
    std::string title_;
    std::vector<Contender> contenders_;
};

}  // namespace bench
