#pragma once

#include <perfloc/detail/object_header.hpp>

/// An object that was copied elsewhere: its old header holds its new address.
namespace perfloc::gc {

inline void forward(void* object, void* copy) {
    detail::header_of(object) = reinterpret_cast<detail::Header>(copy) | detail::kForwarded;
}
inline bool is_forwarded(const void* object) { return (detail::header_of(object) & detail::kForwarded) != 0; }

/// Where it is now.
inline void* now_at(void* object) {
    const detail::Header header = detail::header_of(object);
    return (header & detail::kForwarded) != 0 ? reinterpret_cast<void*>(header & ~detail::Header{7}) : object;
}

}  // namespace perfloc::gc
