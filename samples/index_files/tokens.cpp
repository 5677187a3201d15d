#include "tokens.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace index_files {

namespace {

constexpr std::size_t kShortestWord = 2;
constexpr std::size_t kLongestWord = 64;
constexpr std::uint64_t kHashSeed = 0xcbf29ce484222325;
constexpr std::uint64_t kHashPrime = 0x100000001b3;

// The lower case of every byte that belongs to a word, and 0 for every other byte.
constexpr std::array<char, 256> kWordBytes = [] {
    std::array<char, 256> bytes{};
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const bool upper = c >= 'A' && c <= 'Z';
        const bool word = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || byte > 0x7f;
        if (word) bytes[static_cast<std::size_t>(byte)] = upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return bytes;
}();

Token* find_or_add(TokenTable& table, std::string_view word, std::uint64_t hash) {
    perfloc::Ref<Token>& bucket = table[hash & (table.size() - 1)];
    for (Token* token = bucket; token != nullptr; token = token->next) {
        if (token->hash == hash && token->text() == word) return token;
    }
    Token* token = perfloc::make_raw<Token>(perfloc::ExtraBytes{word.size()}, bucket.get(), nullptr, nullptr, hash, 0u,
                                            static_cast<std::uint32_t>(word.size()));
    std::copy(word.begin(), word.end(), reinterpret_cast<char*>(token + 1));
    bucket = token;
    return token;
}

void append(Token& token, std::uint32_t position, std::uint32_t line) {
    Occurrence* occurrence = perfloc::make_raw<Occurrence>(nullptr, position, line);
    if (token.last == nullptr) {
        token.first = occurrence;
    } else {
        token.last->next = occurrence;
    }
    token.last = occurrence;
    ++token.occurrences;
}

}  // namespace

std::uint64_t hash_word(std::string_view word) {
    std::uint64_t hash = kHashSeed;
    for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * kHashPrime;
    return hash;
}

TokenTable* tokenize(std::string_view text) {
    // Texts seen have about one distinct word in 50 bytes; chains take up what is more.
    const std::size_t buckets = std::bit_ceil(std::clamp<std::size_t>(text.size() / 50, 16, 1 << 16));
    TokenTable* table = perfloc::make_raw_array<perfloc::Ref<Token>>(buckets);

    std::array<char, kLongestWord> word;
    std::size_t length = 0;
    std::uint64_t hash = kHashSeed;
    std::uint32_t position = 0;
    std::uint32_t line = 1;
    const auto end_word = [&] {
        if (length >= kShortestWord && length <= kLongestWord) {
            append(*find_or_add(*table, {word.data(), length}, hash), position, line);
        }
        if (length != 0) ++position;
        length = 0;
        hash = kHashSeed;
    };
    for (const char c : text) {
        const char lower = kWordBytes[static_cast<unsigned char>(c)];
        if (lower != 0) {
            if (length < kLongestWord) word[length] = lower;
            hash = (hash ^ static_cast<unsigned char>(lower)) * kHashPrime;
            ++length;
            continue;
        }
        end_word();
        if (c == '\n') ++line;
    }
    end_word();
    return table;
}

}  // namespace index_files
