#include "queries.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace index_files {

namespace {

/// A file that answers a query.
struct Hit {
    perfloc::Ref<Hit> next;
    std::uint32_t document = 0;
    std::uint32_t line = 0;
    std::uint64_t score = 0;
};

using Hits = perfloc::Array<perfloc::Ref<Hit>>;

// How often a position of `second` follows one of `first`.
std::uint64_t count_adjacent(const Posting& first, const Posting& second) {
    std::uint64_t found = 0;
    const auto followers = second.positions();
    auto follower = followers.begin();
    for (const std::uint32_t position : first.positions()) {
        while (follower != followers.end() && *follower <= position) ++follower;
        if (follower != followers.end() && *follower == position + 1) ++found;
    }
    return found;
}

std::uint64_t score(Query::Kind kind, const Posting& first, const Posting& second) {
    if (kind == Query::Kind::phrase) return count_adjacent(first, second);
    return std::uint64_t{first.occurrences} + second.occurrences;
}

// Both lists run from the newest file to the oldest.
Hits* find_hits(const Index& index, const Query& query) {
    const Term* first_term = index.find(query.first);
    const Term* second_term = index.find(query.second);
    Hit* newest = nullptr;
    std::size_t count = 0;
    const Posting* first = first_term == nullptr ? nullptr : first_term->postings.get();
    const Posting* second = second_term == nullptr ? nullptr : second_term->postings.get();
    while (first != nullptr && second != nullptr) {
        if (first->document > second->document) {
            first = first->next;
        } else if (first->document < second->document) {
            second = second->next;
        } else {
            if (const std::uint64_t points = score(query.kind, *first, *second); points != 0) {
                newest = perfloc::make_raw<Hit>(newest, first->document, first->first_line, points);
                ++count;
            }
            first = first->next;
            second = second->next;
        }
    }
    Hits* hits = perfloc::make_raw_array<perfloc::Ref<Hit>>(count);
    std::size_t i = 0;
    for (Hit* hit = newest; hit != nullptr; hit = hit->next) (*hits)[i++] = hit;
    return hits;
}

}  // namespace

std::vector<Query> make_queries(const std::vector<std::string>& words) {
    std::vector<Query> queries;
    for (std::size_t i = 0; i < words.size(); ++i) {
        for (std::size_t j = 0; j < words.size(); ++j) {
            if (i < j) queries.push_back({Query::Kind::both, words[i], words[j]});
            if (i != j) queries.push_back({Query::Kind::phrase, words[i], words[j]});
        }
    }
    return queries;
}

Answer answer(const Index& index, const Query& query) {
    perfloc::Scope scope{"query"};
    Hits* hits = find_hits(index, query);
    std::sort(hits->begin(), hits->end(), [](const Hit* a, const Hit* b) {
        return a->score != b->score ? a->score > b->score : a->document < b->document;
    });

    Answer result;
    const char* question = query.kind == Query::Kind::phrase ? "\"{} {}\"" : "{} AND {}";
    fmt::format_to_n(result.question.data(), result.question.size() - 1, fmt::runtime(question), query.first,
                     query.second);
    result.hits = hits->size();
    result.checksum = fold(result.checksum, hits->size());
    for (const Hit* hit : *hits) {
        result.checksum = fold(result.checksum, (std::uint64_t{hit->document} << 32) ^ hit->line);
        result.checksum = fold(result.checksum, hit->score);
    }
    if (hits->size() != 0) {
        const Hit* best = (*hits)[0];
        result.best_document = best->document;
        result.best_line = best->line;
    }
    return result;
}

}  // namespace index_files
