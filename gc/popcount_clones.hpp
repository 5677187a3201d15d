#pragma once

/// Functions that count bits are compiled twice and chosen when the program is loaded: plain x86-64 has no instruction
/// for it and calls a library function for each word. Not under sanitizers, whose start-up comes after the choice.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__POPCNT__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define PERFLOC_POPCOUNT_CLONES __attribute__((target_clones("popcnt", "default")))
#endif
#else
#define PERFLOC_POPCOUNT_CLONES __attribute__((target_clones("popcnt", "default")))
#endif
#endif
#ifndef PERFLOC_POPCOUNT_CLONES
#define PERFLOC_POPCOUNT_CLONES
#endif
