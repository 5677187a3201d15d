#pragma once

#include <perfloc/detail/type_info.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perfloc::detail {

/// What marking and moving need of a type, in two words: the table stays in the first-level cache.
struct TypeShape {
    std::uint64_t ref_words = 0;  ///< bit i: word i of the object (or of an element) is a Ref
    std::uint32_t stride = 0;     ///< bytes of an element of an array; 0: not an array
    std::uint8_t many_refs = 0;   ///< Refs beyond word 63: use the description's offsets
    std::uint8_t movable = 0;
    std::uint8_t has_refs = 0;
    std::uint8_t destructor = 0;
};
static_assert(sizeof(TypeShape) == 16);

/// Type numbers are the process's: one of the two things that no heap owns.
const TypeInfo& type_info(std::uint32_t type);
std::uint32_t type_count();
extern constinit TypeShape type_shape_table[kTypeLimit];
inline const TypeShape* type_shapes() { return type_shape_table; }

inline const TypeInfo& type_of(const void* object) { return type_info(header_type(header_of(object))); }

/// The name of the type of what is at an address in a heap, for the line of a checked abort: what is there may be no object.
std::string_view type_name_at(const void* address);

/// The bytes of an object, header included.
inline std::size_t object_bytes(Header header, const TypeShape* shapes) {
    const TypeShape& shape = shapes[header_type(header)];
    const std::uint64_t count = header_count(header);
    if (shape.stride == 0) return count * kWordBytes;
    const std::size_t bytes = kHeaderBytes + round_to_words(count * shape.stride);
    return bytes < 2 * kWordBytes ? 2 * kWordBytes : bytes;
}

/// Calls f(slot) for each Ref of an object. Inlined everywhere: its callers may be compiled for another processor.
template <class F>
PERFLOC_INLINE void for_each_ref(void* object, Header header, const TypeShape* shapes, F&& f) {
    const TypeShape& shape = shapes[header_type(header)];
    if (!shape.has_refs) return;
    const std::uint64_t elements = shape.stride == 0 ? 1 : header_count(header);
    char* element = static_cast<char*>(object);
    if (!shape.many_refs) [[likely]] {
        for (std::uint64_t i = 0; i < elements; ++i, element += shape.stride) {
            for (std::uint64_t bits = shape.ref_words; bits != 0; bits &= bits - 1) {
                const auto word = static_cast<std::size_t>(__builtin_ctzll(bits));
                f(*reinterpret_cast<std::atomic<void*>*>(element + word * kWordBytes));
            }
        }
    } else {
        const TypeInfo& info = type_info(header_type(header));
        for (std::uint64_t i = 0; i < elements; ++i, element += shape.stride) {
            for (const std::uint32_t offset : info.ref_offsets) {
                f(*reinterpret_cast<std::atomic<void*>*>(element + offset));
            }
        }
    }
}

}  // namespace perfloc::detail
