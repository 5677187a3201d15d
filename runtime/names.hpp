#pragma once

#include <string_view>

namespace perfloc::detail {

/// Calls f on each of the names in a list that commas separate, as the environment variables are; empty ones are left out.
template <class F>
void for_each_name(std::string_view names, F&& f) {
    while (!names.empty()) {
        const std::size_t comma = names.find(',');
        const std::string_view name = names.substr(0, comma);
        names = comma == names.npos ? std::string_view{} : names.substr(comma + 1);
        if (!name.empty()) f(name);
    }
}

}  // namespace perfloc::detail
