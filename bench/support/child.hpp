#pragma once

#include <cstddef>
#include <functional>

#include "contest.hpp"

namespace bench {

// Runs the work in a forked child, so that its heap, its page faults and its peak memory are its own. The child's peak
// resident size goes into `figures[peak]`. Ends this process if the child fails.
Sample run_in_child(const std::function<Sample()>& work, std::size_t peak);

}  // namespace bench
