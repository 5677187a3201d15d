#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

/// Checks in three depths: PERFLOC_CHECK stays on in every build, PERFLOC_ASSERT in debug builds, and what costs a walk
/// over the heap is the verifier's.
namespace perfloc::detail {

/// Ends the process with one line that begins with "perfloc: ".
[[noreturn]] void fail(const std::string& line) noexcept;

template <class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void fail_with(fmt::format_string<Args...> format, Args&&... args) noexcept {
    fail(fmt::format(format, std::forward<Args>(args)...));
}

/// Reports something that is not fatal: one line on the standard error stream.
void report(const std::string& line) noexcept;

}  // namespace perfloc::detail

#define PERFLOC_CHECK(condition, ...)                  \
    do {                                               \
        if (!(condition)) [[unlikely]]                 \
            ::perfloc::detail::fail_with(__VA_ARGS__); \
    } while (false)

#ifdef NDEBUG
#define PERFLOC_ASSERT(condition) ((void)0)
#else
#define PERFLOC_ASSERT(condition) \
    PERFLOC_CHECK(condition, "internal: {} does not hold ({}:{})", #condition, __FILE__, __LINE__)
#endif
