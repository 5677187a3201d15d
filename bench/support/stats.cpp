#include "stats.hpp"

#include <algorithm>
#include <cmath>

namespace bench {

Spread spread_of(std::vector<double> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    const double median = values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {median, values.front(), values.back()};
}

double percentile(std::span<double> values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

std::array<double, 2> fit(std::span<const Equation> equations) {
    double a = 0, b = 0, d = 0, u = 0, v = 0;  // the normal equations (a b; b d) c = (u v)
    for (const Equation& e : equations) {
        const double x0 = e.x0 / e.weight, x1 = e.x1 / e.weight, y = e.y / e.weight;
        a += x0 * x0;
        b += x0 * x1;
        d += x1 * x1;
        u += x0 * y;
        v += x1 * y;
    }
    const double determinant = a * d - b * b;
    return {(u * d - v * b) / determinant, (a * v - b * u) / determinant};
}

}  // namespace bench
