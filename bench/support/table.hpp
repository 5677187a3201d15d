#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stats.hpp"

namespace bench {

// One line a figure: median, smallest and largest of the rounds, and the bar where the project has set one.
class Table {
public:
    void row(std::string figure, Spread value, std::string_view unit = "x", std::optional<double> bar = std::nullopt);

    // "met": the median is at most the bar. "spread": it is above, and some round was not. "missed": every round was
    // above.
    void print() const;

private:
    struct Row {
        std::string figure, unit;
        Spread value;
        std::optional<double> bar;
    };
    std::vector<Row> rows_;
};

}  // namespace bench
