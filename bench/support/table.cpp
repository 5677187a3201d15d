#include "table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace bench {

namespace {

// Three significant digits, without an exponent.
std::string number(double value) {
    const double size = std::abs(value);
    return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

}  // namespace

void Table::row(std::string figure, Spread value, std::string_view unit, std::optional<Bar> bar) {
    rows_.push_back({std::move(figure), std::string(unit), value, bar});
}

void Table::print() const {
    std::size_t width = 6;
    for (const Row& row : rows_) width = std::max(width, row.figure.size());
    fmt::print("{:<{}}  {:>8} {:>8} {:>8}  {:<5} {:>10}\n", "figure", width, "median", "min", "max", "unit", "bar");
    for (const Row& row : rows_) {
        const auto [median, low, high] = row.value;
        fmt::print("{:<{}}  {:>8} {:>8} {:>8}  {:<5}", row.figure, width, number(median), number(low), number(high),
                   row.unit);
        if (row.bar) {
            const bool some = row.bar->holds(low) || row.bar->holds(high);
            fmt::print(" {} {:>7}  {}", row.bar->least ? ">=" : "<=", number(row.bar->value),
                       row.bar->holds(median) ? "met"
                       : some                 ? "spread"
                                              : "missed");
        }
        fmt::print("\n");
    }
    fmt::print("\n");
}

}  // namespace bench
