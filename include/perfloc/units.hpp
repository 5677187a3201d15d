#pragma once

#include <cstddef>

/// Byte units. `using namespace perfloc::literals;` gives 4_KiB, 2_MiB and 64_GiB.
namespace perfloc {

using Bytes = std::size_t;

inline namespace literals {

consteval Bytes operator""_KiB(unsigned long long n) { return static_cast<Bytes>(n) << 10; }
consteval Bytes operator""_MiB(unsigned long long n) { return static_cast<Bytes>(n) << 20; }
consteval Bytes operator""_GiB(unsigned long long n) { return static_cast<Bytes>(n) << 30; }
consteval Bytes operator""_TiB(unsigned long long n) { return static_cast<Bytes>(n) << 40; }

}  // namespace literals
}  // namespace perfloc
