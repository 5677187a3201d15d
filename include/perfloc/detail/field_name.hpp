#pragma once

#include <perfloc/detail/base_at_zero.hpp>

#include <boost/pfr.hpp>

#include <cstddef>
#include <string_view>

/// The names of an aggregate's fields, for messages: how the compiler spells a pointer to the field as a template argument
/// (the technique of Boost.PFR 1.84's names; older versions do not have it).
namespace perfloc::detail {

template <class T>
inline constinit Unconstructed<T> nameless{};

template <class Pointer>
struct FieldPointer {
    Pointer pointer;
};
template <class Pointer>
FieldPointer(Pointer) -> FieldPointer<Pointer>;

template <auto Field>
consteval std::string_view spell_field() {
    return __PRETTY_FUNCTION__;
}

template <class T, std::size_t I>
consteval auto field_pointer() {
    return FieldPointer{&boost::pfr::get<I>(nameless<T>.object)};
}

/// The name of field I of T; empty where the compiler spells it otherwise than is known here.
template <class T, std::size_t I>
consteval std::string_view field_name() {
    // GCC: "... T::object.T::name)}; std::string_view = ...]", Clang: "... .object.name}]".
    constexpr std::string_view all = spell_field<field_pointer<T, I>()>();
    constexpr std::size_t gcc = all.rfind(")}");
    constexpr std::size_t end = gcc != all.npos ? gcc : all.rfind("}]");
    if (end == all.npos) return {};
    std::size_t begin = end;
    const auto in_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (begin > 0 && in_name(all[begin - 1])) --begin;
    return all.substr(begin, end - begin);
}

}  // namespace perfloc::detail
