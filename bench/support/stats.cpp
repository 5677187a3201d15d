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

std::array<double, 3> fit(std::span<const Equation> equations) {
    std::array<std::array<double, 4>, 3> rows{};  // the normal equations, with their right side
    for (const Equation& e : equations) {
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t j = 0; j < 3; ++j) rows[i][j] += e.x[i] * e.x[j] / (e.weight * e.weight);
            rows[i][3] += e.x[i] * e.y / (e.weight * e.weight);
        }
    }
    for (std::size_t i = 0; i < 3; ++i) {  // they are positive definite: no pivoting
        for (std::size_t k = 0; k < 3; ++k) {
            if (k == i) continue;
            const double factor = rows[k][i] / rows[i][i];
            for (std::size_t j = 0; j < 4; ++j) rows[k][j] -= factor * rows[i][j];
        }
    }
    return {rows[0][3] / rows[0][0], rows[1][3] / rows[1][1], rows[2][3] / rows[2][2]};
}

}  // namespace bench
