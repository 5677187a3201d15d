#pragma once

#include "gc/mark/mark_bitmap.hpp"
#include "runtime/list.hpp"

#include <algorithm>
#include <cstdint>

namespace perfloc::gc {

/// New addresses without forwarding pointers (the break table of the Compressor, Kermany and Petrank, 2006): for each 512
/// bytes of a span that slides, the address to which its first live word goes; a word's own is that plus the live words
/// before it. Zero where nothing slides; left zero between collections.
class ForwardingTable {
public:
    ForwardingTable(const detail::Memory& memory, const MarkBitmap& marks, detail::ChunkPool& chunks)
        : marks_(marks),
          base_(reinterpret_cast<std::uint64_t*>(memory.area(detail::Area::forwarding))),
          splits_(chunks) {}

    /// Where an object goes, by its header's address.
    PERFLOC_INLINE char* header(char* address) const {
        const std::size_t i = marks_.index_of(address);
        const std::uint64_t base = base_[i / 64];
        if (base == 0) return address;
        const std::uint64_t before = marks_.bits()[i / 64] & ((std::uint64_t{1} << (i % 64)) - 1);
        return reinterpret_cast<char*>(base + static_cast<std::uint64_t>(__builtin_popcountll(before)) * kWordBytes);
    }
    PERFLOC_INLINE void* object(void* address) const {
        return header(static_cast<char*>(address) - detail::kHeaderBytes) + detail::kHeaderBytes;
    }
    /// Where any word of a live object goes. Differs from header() where an object straddles the end of its destination.
    char* word(char* address) const {
        const std::size_t i = marks_.index_of(address);
        const auto at = std::lower_bound(splits_.begin(), splits_.end(), i / 64,
                                         [](const Split& split, std::size_t word) { return split.mark_word < word; });
        if (at != splits_.end() && at->mark_word == i / 64) {
            const std::uint64_t before = marks_.bits()[i / 64] & ((std::uint64_t{1} << (i % 64)) - 1);
            const auto nth = static_cast<std::uint64_t>(__builtin_popcountll(before));
            if (nth < at->tail_words) return reinterpret_cast<char*>(at->tail_to + nth * kWordBytes);
        }
        return header(address);
    }

    std::uint64_t& base(std::size_t mark_word) { return base_[mark_word]; }
    /// In 512 bytes, the first `tail_words` live words end an object that starts before and goes elsewhere.
    void add_split(std::size_t mark_word, std::uint64_t tail_words, std::uint64_t tail_to) {
        if (tail_words != 0) splits_.push_back({mark_word, tail_words, tail_to});
    }
    void sort_splits() {
        std::sort(splits_.begin(), splits_.end(),
                  [](const Split& a, const Split& b) { return a.mark_word < b.mark_word; });
    }

private:
    struct Split {
        std::size_t mark_word;
        std::uint64_t tail_words;
        std::uint64_t tail_to;
    };

    const MarkBitmap& marks_;
    std::uint64_t* base_;
    detail::List<Split> splits_;
};

}  // namespace perfloc::gc
