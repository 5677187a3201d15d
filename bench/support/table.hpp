#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stats.hpp"

namespace bench {

// What the project has set itself for a figure: at most so much, or at least.
struct Bar {
    double value;
    bool least = false;
    Bar(double most) : value(most) {}  // NOLINT: a plain number is "at most"
    bool holds(double figure) const { return least ? figure >= value : figure <= value; }
};
inline Bar at_least(double value) {
    Bar bar(value);
    bar.least = true;
    return bar;
}

// One line a figure: median, smallest and largest of the rounds, and the bar where the project has set one.
class Table {
public:
    void row(std::string figure, Spread value, std::string_view unit = "x", std::optional<Bar> bar = std::nullopt);

    // "met": the median is on the bar's side. "spread": it is not, and some round was. "missed": no round was.
    void print() const;

private:
    struct Row {
        std::string figure, unit;
        Spread value;
        std::optional<Bar> bar;
    };
    std::vector<Row> rows_;
};

}  // namespace bench
