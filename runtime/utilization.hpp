#pragma once

#include <perfloc/stats.hpp>

#include <vector>

namespace perfloc::detail {

/// The least share of any window of this length in which none of the pauses was; pauses may overlap. O(p log p). After
/// Cheng and Blelloch's minimum mutator utilization.
double minimum_utilization(const std::vector<PauseEvent>& pauses, std::chrono::nanoseconds window);

}  // namespace perfloc::detail
