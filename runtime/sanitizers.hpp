#pragma once

/// Which sanitizer this is built with, as GCC and Clang say it.
#if defined(__SANITIZE_ADDRESS__)
#define PERFLOC_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define PERFLOC_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(PERFLOC_ASAN)
#define PERFLOC_ASAN 1
#endif
#if __has_feature(thread_sanitizer) && !defined(PERFLOC_TSAN)
#define PERFLOC_TSAN 1
#endif
#endif
#ifndef PERFLOC_ASAN
#define PERFLOC_ASAN 0
#endif
#ifndef PERFLOC_TSAN
#define PERFLOC_TSAN 0
#endif

namespace perfloc::detail {

inline constexpr bool kAsan = PERFLOC_ASAN != 0;
inline constexpr bool kSanitized = PERFLOC_ASAN != 0 || PERFLOC_TSAN != 0;

}  // namespace perfloc::detail
