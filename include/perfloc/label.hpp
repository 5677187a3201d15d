#pragma once

#include <perfloc/detail/export.hpp>

#include <cstdint>
#include <source_location>
#include <string_view>

namespace perfloc {

/// The name of a scope in reports: a string literal, or the place where an unnamed scope is opened. Two words that are
/// compared and never copied, so that a scope that begins looks its label up only when it differs from the last one.
class Label {
public:
    consteval Label(const char* literal) : text_(literal) {}  // NOLINT: Scope{"request"} is how it reads
    constexpr Label(const std::source_location& where) : text_(where.file_name()), line_(where.line()) {}

    /// A label from a string made at run time. The text is kept for the rest of the process, once a distinct text.
    /// Takes a lock; O(length).
    PERFLOC_API static Label intern(std::string_view text);

    constexpr const char* text() const { return text_; }
    constexpr std::uint32_t line() const { return line_; }  ///< 0 where the label is a name
    friend constexpr bool operator==(const Label& a, const Label& b) {
        return a.text_ == b.text_ && a.line_ == b.line_;
    }

private:
    struct Interned {};
    constexpr Label(Interned, const char* text) : text_(text) {}

    const char* text_;
    std::uint32_t line_ = 0;
};

}  // namespace perfloc
