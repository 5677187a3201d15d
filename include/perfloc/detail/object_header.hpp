#pragma once

#include <perfloc/detail/hot.hpp>

#include <cstdint>

/// The 8-byte header before every object.
///
/// | bits  | meaning                                                                              |
/// |-------|--------------------------------------------------------------------------------------|
/// | 0     | forwarded: all other bits are the new address of the object (8-byte aligned)         |
/// | 1-3   | zero                                                                                 |
/// | 4-43  | size in words, header and storage behind the object included; of an array the length |
/// | 44-63 | type number                                                                          |
namespace perfloc::detail {

using Header = std::uint64_t;

inline constexpr unsigned kCountShift = 4;
inline constexpr unsigned kTypeShift = 44;
inline constexpr std::uint64_t kCountMask = (std::uint64_t{1} << (kTypeShift - kCountShift)) - 1;
inline constexpr std::uint32_t kTypeLimit = 1u << (64 - kTypeShift);
inline constexpr Header kForwarded = 1;
inline constexpr std::uint32_t kFillerType = 1;  ///< memory that holds no object and may be walked over

static_assert(kCountShift + 40 == kTypeShift, "an array may have 2^40 elements");

constexpr Header make_header(std::uint32_t type, std::uint64_t count) {
    return std::uint64_t{type} << kTypeShift | count << kCountShift;
}
constexpr std::uint32_t header_type(Header header) { return static_cast<std::uint32_t>(header >> kTypeShift); }
constexpr std::uint64_t header_count(Header header) { return header >> kCountShift & kCountMask; }

PERFLOC_INLINE Header& header_of(void* object) { return static_cast<Header*>(object)[-1]; }
PERFLOC_INLINE const Header& header_of(const void* object) { return static_cast<const Header*>(object)[-1]; }

constexpr std::size_t round_to_words(std::size_t bytes) { return (bytes + kWordBytes - 1) & ~(kWordBytes - 1); }

}  // namespace perfloc::detail
