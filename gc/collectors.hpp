#pragma once

#include "runtime/collector.hpp"

#include <memory>

namespace perfloc::gc {

/// The collector of a heap, by its options.
std::unique_ptr<detail::CollectorInterface> make_collector(detail::HeapCore& heap);

}  // namespace perfloc::gc
