// The words of one file, as managed objects that die with the file's scope.
#pragma once

#include <perfloc/perfloc.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace index_files {

/// One place where a word stands.
struct Occurrence {
    perfloc::Ref<Occurrence> next;
    std::uint32_t position = 0;  // the word's number in the file
    std::uint32_t line = 0;
};

/// One word of a file. Its text stands behind it, in lower case.
struct Token {
    perfloc::Ref<Token> next;  // in the same bucket
    perfloc::Ref<Occurrence> first, last;
    std::uint64_t hash = 0;
    std::uint32_t occurrences = 0;
    std::uint32_t length = 0;

    std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), length}; }
};

using TokenTable = perfloc::Array<perfloc::Ref<Token>>;

/// The words are runs of letters, digits and underscores, in lower case, and 2 to 64 bytes long; bytes above
/// 0x7f count as letters. Everything is made in the current scope; the table stays put until it ends.
TokenTable* tokenize(std::string_view text);

/// FNV-1a.
std::uint64_t hash_word(std::string_view word);

}  // namespace index_files
