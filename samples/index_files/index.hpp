// The inverted index: for each word, the files that hold it, and where. All of it lives in the managed heap.
#pragma once

#include <perfloc/perfloc.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace index_files {

/// Positions of a word in a file beyond this many die with the file; a phrase is sought among those kept.
inline constexpr std::uint32_t kKeptPositions = 16;

/// One word in one file. The positions kept stand behind it, in ascending order.
struct Posting {
    perfloc::Ref<Posting> next;  // of the same word, in an earlier file
    std::uint32_t document = 0;  // number of the file in the corpus
    std::uint32_t occurrences = 0;
    std::uint32_t first_line = 0;
    std::uint32_t kept = 0;

    std::span<const std::uint32_t> positions() const {
        return {reinterpret_cast<const std::uint32_t*>(this + 1), kept};
    }
    std::span<std::uint32_t> positions() { return {reinterpret_cast<std::uint32_t*>(this + 1), kept}; }
};

/// One word of the whole corpus. Its text stands behind it.
struct Term {
    perfloc::Ref<Term> next;         // in the same bucket
    perfloc::Ref<Posting> postings;  // newest file first
    std::uint64_t hash = 0;
    std::uint64_t occurrences = 0;
    std::uint32_t documents = 0;
    std::uint32_t length = 0;

    std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), length}; }
};

struct Index {
    perfloc::Ref<perfloc::Array<perfloc::Ref<Term>>> buckets;  // their number is a power of two
    std::uint64_t terms = 0;
    std::uint64_t postings = 0;
    std::uint64_t occurrences = 0;

    /// The term of this word, or null. The pointer is good until the next poll.
    Term* find(std::string_view word) const;
};

/// Fills an index, a file at a time.
class IndexWriter {
public:
    /// The index is made in `home`, a scope that outlives the writer.
    explicit IndexWriter(perfloc::Scope& home);

    /// Indexes one file in the current scope. The tokens are garbage on return; what the index keeps is reachable
    /// from the index, and escapes when the current scope ends. May throw perfloc::OutOfMemory.
    void add_file(std::uint32_t document, std::string_view text);

    const perfloc::Handle<Index>& index() const { return index_; }

private:
    Term* find_or_add(std::string_view word, std::uint64_t hash);
    void grow();

    perfloc::Scope& home_;
    perfloc::Handle<Index> index_;
};

/// The `count` words that occur most often, most frequent first, equally frequent ones by their text. Words of
/// less than three letters and numbers do not count.
std::vector<std::string> most_frequent_words(const Index& index, std::size_t count);

}  // namespace index_files
