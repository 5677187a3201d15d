// Questions to the index: which files hold both words, and which hold them side by side.
#pragma once

#include "index.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace index_files {

struct Query {
    enum class Kind { both, phrase };
    Kind kind = Kind::both;
    std::string first, second;
};

/// A plain value, so that it can go through a pipe.
struct Answer {
    std::array<char, 160> question{};  // "int AND return", or with quotation marks for a phrase
    std::uint64_t hits = 0;            // files
    std::uint32_t best_document = 0;   // the file with the most occurrences, the first such one
    std::uint32_t best_line = 0;
    std::uint64_t checksum = 0;  // over all hits
};

/// A set of queries that follows from the corpus alone: the most frequent words, each pair of them AND-ed and
/// each ordered pair as a phrase.
std::vector<Query> make_queries(const std::vector<std::string>& words);

/// Works in a scope of its own, labelled "query", from which nothing escapes.
Answer answer(const Index& index, const Query& query);

/// Folds `value` into `checksum`; the order matters.
constexpr std::uint64_t fold(std::uint64_t checksum, std::uint64_t value) {
    return (checksum ^ value) * 0x100000001b3 + (checksum >> 47);
}

}  // namespace index_files
