#pragma once

#include <array>
#include <span>
#include <vector>

namespace bench {

// What is quoted of a row of rounds: the median, and how far the rounds lay apart.
struct Spread {
    double median = 0, low = 0, high = 0;
    Spread scaled(double factor) const { return {median * factor, low * factor, high * factor}; }
};

Spread spread_of(std::vector<double> values);

// The value below which `share` (0..1) of the values lie. Sorts them.
double percentile(std::span<double> values, double share);

// Least squares for y = c[0] x[0] + c[1] x[1] + c[2] x[2], each equation divided by its `weight`.
struct Equation {
    std::array<double, 3> x;
    double y, weight;
};
std::array<double, 3> fit(std::span<const Equation> equations);

}  // namespace bench
