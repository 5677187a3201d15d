#pragma once

#include <string_view>

namespace perfloc::detail {

template <class T>
constexpr std::string_view raw_type_name() {
    return __PRETTY_FUNCTION__;
}

/// The name of T as the compiler spells it, without RTTI: what surrounds it is measured with a type of known name.
template <class T>
constexpr std::string_view type_name() {
    constexpr std::string_view probe = raw_type_name<double>();
    constexpr std::size_t before = probe.find("double");
    constexpr std::string_view raw = raw_type_name<T>();
    constexpr std::string_view rest = raw.substr(before);
    // GCC: "... [with T = X; std::string_view = ...]", Clang: "... [T = X]".
    constexpr std::size_t end =
        rest.find("; std::string_view") != rest.npos ? rest.find("; std::string_view") : rest.size() - 1;
    return rest.substr(0, end);
}

}  // namespace perfloc::detail
