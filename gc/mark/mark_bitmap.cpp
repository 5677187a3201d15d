#include "gc/mark/mark_bitmap.hpp"

#include "gc/popcount_clones.hpp"

namespace perfloc::gc {

namespace {

PERFLOC_POPCOUNT_CLONES std::uint64_t count(const std::uint64_t* words, std::size_t n) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < n; ++i) bits += static_cast<std::uint64_t>(__builtin_popcountll(words[i]));
    return bits;
}

}  // namespace

std::uint64_t MarkBitmap::count_words(const char* start, std::size_t bytes) const {
    return count(&bits_[index_of(start) / 64], (bytes + kBytesPerMark - 1) / kBytesPerMark);
}

}  // namespace perfloc::gc
