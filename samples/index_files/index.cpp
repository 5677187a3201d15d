#include "index.hpp"

#include "tokens.hpp"

#include <algorithm>
#include <cctype>

namespace index_files {

namespace {

constexpr std::size_t kFirstBuckets = 1024;

// What the index keeps of a token: a count, a line and a few positions. The occurrences themselves die.
Posting* make_posting(const Token& token, std::uint32_t document, Posting* next) {
    const std::uint32_t kept = std::min(token.occurrences, kKeptPositions);
    Posting* posting = perfloc::make_raw<Posting>(perfloc::ExtraBytes{kept * sizeof(std::uint32_t)}, next, document,
                                                  token.occurrences, token.first->line, kept);
    const Occurrence* occurrence = token.first;
    for (std::uint32_t& position : posting->positions()) {
        position = occurrence->position;
        occurrence = occurrence->next;
    }
    return posting;
}

}  // namespace

Term* Index::find(std::string_view word) const {
    const std::uint64_t hash = hash_word(word);
    for (Term* term = (*buckets)[hash & (buckets->size() - 1)]; term != nullptr; term = term->next) {
        if (term->hash == hash && term->text() == word) return term;
    }
    return nullptr;
}

IndexWriter::IndexWriter(perfloc::Scope& home) : home_(home), index_(perfloc::make_in<Index>(home)) {
    index_->buckets = perfloc::make_array_in<perfloc::Ref<Term>>(home_, kFirstBuckets);
}

void IndexWriter::add_file(std::uint32_t document, std::string_view text) {
    // Plain pointers throughout: nothing here polls, so that nothing moves before the file's scope ends.
    for (Token* head : *tokenize(text)) {
        for (Token* token = head; token != nullptr; token = token->next) {
            Term* term = find_or_add(token->text(), token->hash);
            term->postings = make_posting(*token, document, term->postings);  // an escape: outer refers to inner
            term->occurrences += token->occurrences;
            ++term->documents;
            ++index_->postings;
            index_->occurrences += token->occurrences;
        }
    }
}

Term* IndexWriter::find_or_add(std::string_view word, std::uint64_t hash) {
    perfloc::Array<perfloc::Ref<Term>>& buckets = *index_->buckets;
    perfloc::Ref<Term>& bucket = buckets[hash & (buckets.size() - 1)];
    for (Term* term = bucket; term != nullptr; term = term->next) {
        if (term->hash == hash && term->text() == word) return term;
    }
    Term* term = perfloc::make_raw<Term>(perfloc::ExtraBytes{word.size()}, bucket.get(), nullptr, hash,
                                         std::uint64_t{0}, 0u, static_cast<std::uint32_t>(word.size()));
    std::copy(word.begin(), word.end(), reinterpret_cast<char*>(term + 1));
    bucket = term;  // an escape
    if (++index_->terms > buckets.size()) grow();
    return term;
}

void IndexWriter::grow() {
    // A known survivor is made where it will live; the old buckets become garbage of the outer scope.
    auto& from = *index_->buckets;
    perfloc::Handle<perfloc::Array<perfloc::Ref<Term>>> to =
        perfloc::make_array_in<perfloc::Ref<Term>>(home_, 2 * from.size());
    for (Term* head : from) {
        for (Term* term = head; term != nullptr;) {
            Term* rest = term->next;
            perfloc::Ref<Term>& bucket = (*to)[term->hash & (to->size() - 1)];
            term->next = bucket;
            bucket = term;
            term = rest;
        }
    }
    index_->buckets = to;
}

std::vector<std::string> most_frequent_words(const Index& index, std::size_t count) {
    std::vector<const Term*> terms;  // plain pointers, since nothing here polls
    for (const Term* head : *index.buckets) {
        for (const Term* term = head; term != nullptr; term = term->next) {
            const bool number = std::isdigit(static_cast<unsigned char>(term->text().front())) != 0;
            if (!number && term->length >= 3) terms.push_back(term);
        }
    }
    count = std::min(count, terms.size());
    std::partial_sort(terms.begin(), terms.begin() + static_cast<std::ptrdiff_t>(count), terms.end(),
                      [](const Term* a, const Term* b) {
                          return a->occurrences != b->occurrences ? a->occurrences > b->occurrences
                                                                  : a->text() < b->text();
                      });
    std::vector<std::string> words;
    for (std::size_t i = 0; i < count; ++i) words.emplace_back(terms[i]->text());
    return words;
}

}  // namespace index_files
