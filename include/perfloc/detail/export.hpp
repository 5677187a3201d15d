#pragma once

// The library is built with hidden visibility; what users call is exported.
#define PERFLOC_API __attribute__((visibility("default")))

// Slow paths: out of line, and out of the way of the fast path's code.
#define PERFLOC_COLD __attribute__((noinline, cold))

#define PERFLOC_INLINE inline __attribute__((always_inline))
