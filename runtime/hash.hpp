#pragma once

#include <cstdint>

namespace perfloc::detail {

/// Multiplicative hashing (Fibonacci; Knuth, volume 3, section 6.4): the high bits are the good ones.
constexpr std::uint64_t scattered(std::uint64_t key) { return key * 0x9e37'79b9'7f4a'7c15u; }
inline std::uint64_t scattered(const void* address) { return scattered(reinterpret_cast<std::uintptr_t>(address)); }

}  // namespace perfloc::detail
