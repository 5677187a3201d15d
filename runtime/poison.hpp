#pragma once

#include "runtime/sanitizers.hpp"

#include <cstddef>

#if PERFLOC_ASAN
#include <sanitizer/asan_interface.h>
#endif

/// Tells AddressSanitizer which bytes of the heap may be touched.
namespace perfloc::detail {

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
