#include "runtime/type_table.hpp"

#include "runtime/check.hpp"

#include <perfloc/errors.hpp>

#include <algorithm>
#include <mutex>

namespace perfloc::detail {

constinit TypeShape type_shape_table[kTypeLimit] = {};

namespace {

// Both are filled in order under the lock, before the number is published (release in register_object_type), and never changed.
constinit const TypeInfo* infos[kTypeLimit] = {};
constinit std::mutex lock;
constinit std::uint32_t count = kFillerType + 1;

void sort_refs(TypeInfo& info) {
    std::sort(info.ref_offsets.begin(), info.ref_offsets.end());
    const auto last = std::unique(info.ref_offsets.begin(), info.ref_offsets.end());
    PERFLOC_CHECK(last == info.ref_offsets.end(), "trace() of {} names the same Ref twice", info.name);
    for (const std::uint32_t offset : info.ref_offsets) {
        PERFLOC_CHECK(offset % kWordBytes == 0 && offset + kWordBytes <= info.payload_bytes,
                      "trace() of {} names something outside the object (offset {})", info.name, offset);
    }
}

TypeShape shape_of(const TypeInfo& info) {
    TypeShape shape;
    shape.stride = info.array ? info.payload_bytes : 0;
    shape.movable = info.movable;
    shape.has_refs = !info.ref_offsets.empty();
    shape.destructor = info.destroy != nullptr;
    for (const std::uint32_t offset : info.ref_offsets) {
        const std::uint32_t word = offset / kWordBytes;
        if (word < 64) {
            shape.ref_words |= std::uint64_t{1} << word;
        } else {
            shape.many_refs = 1;
        }
    }
    return shape;
}

}  // namespace

Header register_type(TypeInfo info) {
    sort_refs(info);
    const std::lock_guard guard(lock);
    if (count == kTypeLimit) throw Error("perfloc: more than 1,048,574 managed types");
    const std::uint32_t number = count++;
    type_shape_table[number] = shape_of(info);
    std::atomic_ref(infos[number]).store(new TypeInfo(std::move(info)), std::memory_order_release);
    return make_header(number, 0);
}

const TypeInfo& type_info(std::uint32_t type) {
    static const TypeInfo filler = [] {
        TypeInfo info;
        info.name = "(filler)";
        return info;
    }();
    // Acquire pairs with the release in register_type.
    const TypeInfo* const info =
        type < kTypeLimit ? std::atomic_ref(infos[type]).load(std::memory_order_acquire) : nullptr;
    return info != nullptr ? *info : filler;
}

std::string_view type_name_at(const void* address) {
    const Header header = header_of(address);
    const std::uint32_t type = header_type(header);
    const bool known = (header & kForwarded) == 0 && type > kFillerType && type < type_count();
    return known ? std::string_view(type_info(type).name) : "unknown type";
}

std::uint32_t type_count() {
    const std::lock_guard guard(lock);
    return count;
}

}  // namespace perfloc::detail
