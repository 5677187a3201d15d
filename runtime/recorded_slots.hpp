#pragma once

#include "runtime/memory.hpp"

#include <cstdint>
#include <cstring>

namespace perfloc::detail {

/// Which slots the running collection has been told of: one bit for each word of the heap, so that a field that is written
/// a million times meanwhile costs one record. Cleared as the records are walked, and where a span's generation changes. Only
/// the mutator uses it.
class RecordedSlots {
public:
    explicit RecordedSlots(const Memory& memory)
        : base_(reinterpret_cast<std::uintptr_t>(memory.base())),
          bits_(reinterpret_cast<std::uint64_t*>(memory.area(Area::recorded))) {}

    /// False where it was there.
    bool insert(const void* slot) {
        const std::size_t i = index_of(slot);
        const std::uint64_t bit = std::uint64_t{1} << (i % 64);
        if ((bits_[i / 64] & bit) != 0) return false;
        bits_[i / 64] |= bit;
        return true;
    }
    void erase(const void* slot) {
        const std::size_t i = index_of(slot);
        bits_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    }
    /// Whole pages.
    void clear(const void* start, std::size_t bytes) {
        std::memset(&bits_[index_of(start) / 64], 0, bytes / kWordBytes / 8);
    }

private:
    std::size_t index_of(const void* address) const {
        return (reinterpret_cast<std::uintptr_t>(address) - base_) / kWordBytes;
    }

    std::uintptr_t base_;
    std::uint64_t* bits_;
};

}  // namespace perfloc::detail
