#pragma once

#include <string>
#include <string_view>

namespace perfloc::detail {

/// Appends the text as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD: labels may be anything.
void append_json(std::string& out, std::string_view text);

}  // namespace perfloc::detail
