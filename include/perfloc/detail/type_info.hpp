#pragma once

#include <perfloc/detail/object_header.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perfloc::detail {

/// What the collector knows of a type: described once, before the first object of it is made.
struct TypeInfo {
    std::string_view name;
    std::uint32_t payload_bytes = 0;  ///< of an object without storage behind it; of an array, the stride of an element
    std::uint32_t alignment = 8;
    bool array = false;
    bool movable = true;         ///< copying its bytes moves it
    bool free_threaded = false;  ///< its destructor may run on the collector thread
    void (*destroy)(void* object, std::uint64_t count) noexcept = nullptr;
    std::vector<std::uint32_t> ref_offsets;  ///< bytes from the object's (or the element's) start, ascending
    std::vector<std::string> ref_names;      ///< as many; empty where a field's name is not known (behind trace())
};

/// Registers a type; returns the header of an object of it with the count left zero. Thread-safe; the description is
/// kept for the rest of the process. Throws Error when there are 2^20 types.
PERFLOC_API Header register_type(TypeInfo info);

/// The header of T's objects, the count included where it is fixed; 0 until the type is registered.
template <class T>
inline constinit std::atomic<Header> type_header{0};

}  // namespace perfloc::detail
