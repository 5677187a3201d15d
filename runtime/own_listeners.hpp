#pragma once

#include <perfloc/events.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace perfloc::detail {

/// The listeners that PERFLOC_LOG and PERFLOC_TRACE ask for. Throws OptionError.
std::vector<std::unique_ptr<EventListener>> listeners_from_environment(std::uint64_t heap);

/// PERFLOC_TRACE with %p replaced by the process's number and %h by the heap's; where there is no %h, heaps after the first
/// append theirs.
std::string trace_path(std::string_view pattern, std::uint64_t heap);

}  // namespace perfloc::detail
