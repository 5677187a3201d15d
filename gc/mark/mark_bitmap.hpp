#pragma once

#include "runtime/memory.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace perfloc::gc {

using detail::kWordBytes;

/// One bit for each word of the heap. A marked object of up to 32 KiB has the bits of all its words, header first, so
/// that live bytes and new addresses are population counts; of a larger one only the header's bit is set.
class MarkBitmap {
public:
    static constexpr std::size_t kWordsPerMark = 64;
    static constexpr std::size_t kBytesPerMark = kWordsPerMark * kWordBytes;  ///< 512 bytes of heap for a word of bits

    explicit MarkBitmap(const detail::Memory& memory, detail::Area area = detail::Area::marks)
        : base_(reinterpret_cast<std::uintptr_t>(memory.base())),
          bits_(reinterpret_cast<std::uint64_t*>(memory.area(area))) {}

    std::size_t index_of(const void* address) const {
        return (reinterpret_cast<std::uintptr_t>(address) - base_) / kWordBytes;
    }
    bool test(const void* address) const {
        const std::size_t i = index_of(address);
        return (bits_[i / 64] >> (i % 64) & 1) != 0;
    }
    const std::uint64_t* word_for(const void* address) const { return &bits_[index_of(address) / 64]; }

    /// Marks an object by its header's address. False when it was marked.
    bool mark(const void* header, std::size_t bytes) {
        const std::size_t i = index_of(header);
        std::uint64_t* word = &bits_[i / 64];
        const unsigned first = i % 64;
        if ((*word >> first & 1) != 0) return false;
        if (bytes > detail::kLargeBytes) {
            *word |= std::uint64_t{1} << first;
            return true;
        }
        std::size_t left = bytes / kWordBytes;
        if (first + left <= 64) [[likely]] {
            *word |= ones(left) << first;
            return true;
        }
        *word++ |= ~std::uint64_t{0} << first;
        left -= 64 - first;
        for (; left >= 64; left -= 64) *word++ = ~std::uint64_t{0};
        *word |= left != 0 ? ones(left) : 0;
        return true;
    }

    /// [start, start + bytes) on 512-byte boundaries.
    void clear(const char* start, std::size_t bytes) {
        std::memset(&bits_[index_of(start) / 64], 0, bytes / kWordBytes / 8);
    }
    void copy(const MarkBitmap& from, const char* start, std::size_t bytes) {
        const std::size_t first = index_of(start) / 64;
        std::memcpy(&bits_[first], &from.bits_[first], bytes / kWordBytes / 8);
    }
    std::uint64_t count_words(const char* start, std::size_t bytes) const;

    std::uint64_t* bits() const { return bits_; }

private:
    static constexpr std::uint64_t ones(std::size_t n) {
        return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    }

    std::uintptr_t base_;
    std::uint64_t* bits_;
};

}  // namespace perfloc::gc
