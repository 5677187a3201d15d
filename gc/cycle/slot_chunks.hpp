#pragma once

#include "runtime/chunk_pool.hpp"

#include <cstddef>

namespace perfloc::gc {

/// Thirds of chunks, for the very many short lists of a collection: what points into each piece that is to be evacuated. (Of whole
/// chunks, the lists of pieces of half a KiB took twice what the pieces did.) All are given back at once. O(1). It is used by
/// whoever has the phase.
class SlotChunks {
public:
    static constexpr std::size_t kBytes = (detail::kChunkBytes - 16) / 3;

    explicit SlotChunks(detail::ChunkPool& chunks) : chunks_(chunks) {}

    void* take() {
        if (free_ == nullptr) cut();
        Free* const third = free_;
        free_ = third->next;
        return third;
    }
    void give(void* third) { give_chain(third, third); }
    /// A chain that is linked by its first words, `last` included. O(1).
    void give_chain(void* first, void* last) {
        static_cast<Free*>(last)->next = free_;
        free_ = static_cast<Free*>(first);
    }
    /// Takes all of them back, whoever has them. O(1).
    void reset() {
        if (whole_ != nullptr) chunks_.give_chain(whole_, first_);
        free_ = whole_ = first_ = nullptr;
    }

private:
    struct Free {
        Free* next;
    };
    void cut() {
        auto* const whole = static_cast<Free*>(chunks_.take());
        whole->next = whole_;
        whole_ = whole;
        if (first_ == nullptr) first_ = whole;
        char* third = reinterpret_cast<char*>(whole) + 16;
        for (int i = 0; i < 3; ++i, third += kBytes) give(third);
    }

    detail::ChunkPool& chunks_;
    Free* free_ = nullptr;
    Free* whole_ = nullptr;  // the chunk that was taken last, and so on by their first words
    Free* first_ = nullptr;  // the one that was taken first
};

}  // namespace perfloc::gc
