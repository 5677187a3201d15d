#pragma once

#include "runtime/memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Sets of pages as bits, so small that they stay in the cache where the table of spans does not.
namespace perfloc::gc {

/// Some of the heap's blocks, a bit for each.
class BlockSet {
public:
    explicit BlockSet(std::size_t blocks) : bits_((blocks + 63) / 64) {}
    void clear() { std::ranges::fill(bits_, 0); }
    void add(std::uint32_t page) { bits_[page / kPagesPerWord] |= bit(page); }
    bool contains(std::uint32_t page) const { return (bits_[page / kPagesPerWord] & bit(page)) != 0; }

private:
    static constexpr std::uint32_t kPagesPerWord = 64 * detail::kPagesPerBlock;
    static std::uint64_t bit(std::uint32_t page) { return std::uint64_t{1} << (page / detail::kPagesPerBlock % 64); }

    std::vector<std::uint64_t> bits_;
};

/// Some of the heap's pages: a word of bits for each block. The collector's own, whoever runs its code.
class PageSet {
public:
    explicit PageSet(const detail::Memory& memory)
        : memory_(memory), bits_(reinterpret_cast<std::uint64_t*>(memory.area(detail::Area::set_pages))) {}

    /// Calls breathe() after every few thousand blocks. Of blocks that were not accessible yet no page was ever added.
    template <class Breathe>
    void clear(Breathe&& breathe) {
        for (std::size_t at = 0, blocks = memory_.accessible_blocks(); at < blocks; at += kBlocksABreath) {
            std::fill_n(bits_ + at, std::min(kBlocksABreath, blocks - at), 0);
            breathe();
        }
    }
    void add(std::uint32_t page, std::uint32_t pages) {
        for (const std::uint32_t end = page + pages; page < end;) {
            const std::uint32_t n = std::min(kPages - page % kPages, end - page);
            bits_[page / kPages] |= ~std::uint64_t{0} >> (kPages - n) << page % kPages;
            page += n;
        }
    }
    bool contains(std::uint32_t page) const { return (bits_[page / kPages] >> page % kPages & 1) != 0; }

private:
    static constexpr std::uint32_t kPages = detail::kPagesPerBlock;
    static constexpr std::size_t kBlocksABreath = 4096;
    static_assert(kPages == 64);

    const detail::Memory& memory_;
    std::uint64_t* bits_;
};

}  // namespace perfloc::gc
