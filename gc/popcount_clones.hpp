#pragma once

#include "runtime/sanitizers.hpp"

/// Functions that count bits are compiled twice and chosen when the program is loaded: plain x86-64 has no instruction
/// for it and calls a library function for each word. Not under sanitizers, whose start-up comes after the choice.
#if defined(__x86_64__) && !PERFLOC_ASAN && !PERFLOC_TSAN && !defined(__POPCNT__)
#define PERFLOC_POPCOUNT_CLONES __attribute__((target_clones("popcnt", "default")))
#else
#define PERFLOC_POPCOUNT_CLONES
#endif
