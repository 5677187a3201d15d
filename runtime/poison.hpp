#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define PERFLOC_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PERFLOC_ASAN 1
#endif
#endif
#ifndef PERFLOC_ASAN
#define PERFLOC_ASAN 0
#endif

#if PERFLOC_ASAN
#include <sanitizer/asan_interface.h>
#endif

/// Tells AddressSanitizer which bytes of the heap may be touched.
namespace perfloc::detail {

inline constexpr bool kAsan = PERFLOC_ASAN != 0;

inline void poison([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#if PERFLOC_ASAN
    ASAN_POISON_MEMORY_REGION(start, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#if PERFLOC_ASAN
    ASAN_UNPOISON_MEMORY_REGION(start, bytes);
#endif
}

/// What a stale pointer reads in stress mode: an odd, non-canonical word.
inline constexpr unsigned char kPoisonByte = 0xdb;

}  // namespace perfloc::detail
