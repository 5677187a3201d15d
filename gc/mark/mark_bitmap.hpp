#pragma once

#include "runtime/memory.hpp"

#include <algorithm>
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
        return (load(bits_[i / 64]) >> (i % 64) & 1) != 0;
    }
    const std::uint64_t* word_for(const void* address) const { return &bits_[index_of(address) / 64]; }

    /// Takes the page fault of writing the first mark of what begins at `start`, and changes nothing. (Volatile: what changes
    /// nothing may be left out.)
    void touch(const void* start) {
        volatile std::uint64_t* const word = &bits_[index_of(start) / 64];
        __atomic_fetch_or(word, 0, __ATOMIC_RELAXED);
    }
    /// Marks an object by its header's address. False when it was marked.
    bool mark(const void* header, std::size_t bytes) {
        const std::size_t i = index_of(header);
        std::uint64_t* word = &bits_[i / 64];
        const unsigned first = i % 64;
        const std::uint64_t before = *word;
        if ((before >> first & 1) != 0) return false;
        if (bytes > detail::kLargeBytes) {
            store(*word, before | std::uint64_t{1} << first);
            return true;
        }
        std::size_t left = bytes / kWordBytes;
        if (first + left <= 64) [[likely]] {
            store(*word, before | ones(left) << first);
            return true;
        }
        store(*word, before | ~std::uint64_t{0} << first);
        ++word;
        left -= 64 - first;
        for (; left >= 64; left -= 64, ++word) store(*word, ~std::uint64_t{0});
        if (left != 0) store(*word, *word | ones(left));
        return true;
    }

    /// [start, start + bytes) on 512-byte boundaries.
    void clear(const char* start, std::size_t bytes) {
        std::memset(&bits_[index_of(start) / 64], 0, bytes / kWordBytes / 8);
    }
    /// Whole words of the heap, from anywhere to anywhere.
    void clear_words(const char* start, const char* end) {
        for (std::size_t i = index_of(start), last = index_of(end); i < last;) {
            const std::size_t n = std::min(64 - i % 64, last - i);
            bits_[i / 64] &= ~(ones(n) << i % 64);
            i += n;
        }
    }
    void copy(const MarkBitmap& from, const char* start, std::size_t bytes) {
        const std::size_t first = index_of(start) / 64;
        std::memcpy(&bits_[first], &from.bits_[first], bytes / kWordBytes / 8);
    }
    std::uint64_t count_words(const char* start, std::size_t bytes) const;

    std::uint64_t* bits() const { return bits_; }

private:
    // One thread marks; another may ask meanwhile whether an object is marked, and takes no for an answer. Relaxed.
    static std::uint64_t load(const std::uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); }
    static void store(std::uint64_t& word, std::uint64_t bits) { __atomic_store_n(&word, bits, __ATOMIC_RELAXED); }
    static constexpr std::uint64_t ones(std::size_t n) {
        return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    }

    std::uintptr_t base_;
    std::uint64_t* bits_;
};

}  // namespace perfloc::gc
