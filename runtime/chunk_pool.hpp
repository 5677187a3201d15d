#pragma once

#include "runtime/check.hpp"
#include "runtime/memory.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/spin_lock.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <mutex>
#include <utility>

namespace perfloc::detail {

inline constexpr std::size_t kChunkBytes = 1024;

/// Chunks of 1 KiB for what regions remember (slots, cleanups): from reserved memory beside the heap, so that recording
/// never fails because the heap is at its limit and never calls the system. Last in, first out. O(1). Thread-safe.
class ChunkPool {
public:
    static constexpr std::size_t kBytes = kChunkBytes;

    explicit ChunkPool(Memory& memory) : memory_(memory), next_(memory.area(Area::chunks)), start_(next_) {}

    void* take() {
        for (;; grow(kChunkBytes)) {
            const std::lock_guard guard(lock_);
            if (free_ != nullptr) {
                Free* const chunk = free_;
                free_ = chunk->next;
                return chunk;
            }
            if (bytes() + kChunkBytes > memory_.area_committed(Area::chunks)) continue;  // the guard ends before grow()
            char* const chunk = next_;
            store_relaxed(next_, chunk + kChunkBytes);
            return chunk;
        }
    }
    void give(void* chunk) { give_chain(chunk, chunk); }
    /// Gives a chain that is linked by its chunks' first words, `last` included. O(1).
    void give_chain(void* first, void* last) {
        const std::lock_guard guard(lock_);
        static_cast<Free*>(last)->next = free_;
        free_ = static_cast<Free*>(first);
    }
    /// Neighbouring chunks of so many bytes in all, rounded up to a power of two. O(1).
    void* take_run(std::size_t size) {
        const unsigned k = run_class(size);
        for (;; grow(kChunkBytes << k)) {
            const std::lock_guard guard(lock_);
            if (Free* const run = runs_[k]; run != nullptr) {
                runs_[k] = run->next;
                return run;
            }
            if (bytes() + (kChunkBytes << k) > memory_.area_committed(Area::chunks)) continue;
            char* const run = next_;
            store_relaxed(next_, run + (kChunkBytes << k));
            return run;
        }
    }
    void give_run(void* run, std::size_t size) {
        const std::lock_guard guard(lock_);
        static_cast<Free*>(run)->next = runs_[run_class(size)];
        runs_[run_class(size)] = static_cast<Free*>(run);
    }
    /// Whether the memory is of this pool.
    bool owns(const void* memory) const {
        return static_cast<std::size_t>(static_cast<const char*>(memory) - start_) < memory_.area_bytes(Area::chunks);
    }
    std::size_t bytes() const { return static_cast<std::size_t>(load_relaxed(next_) - start_); }
    /// Some may be kept idle, a 32nd of the heap at most: a quarter of the least that is reserved for them.
    bool plenty() const { return bytes() < std::max(kMostIdleOfSmallHeaps, memory_.bytes() / 32); }
    /// Backs the chunks that will be taken next with memory, as much as is in use (a collection copies it), from 64 KiB to
    /// 4 MiB: at most one system call. One thread at a time. False where there was nothing to do, or the system refused.
    bool get_ahead() {
        const std::size_t used = bytes();
        const std::size_t ahead = std::clamp<std::size_t>(used, kLeastAhead, kMostAhead);
        const std::size_t to = std::min((used + ahead) / kPageBytes * kPageBytes, memory_.area_committed(Area::chunks));
        const std::size_t from = std::max(backed_, used / kPageBytes * kPageBytes);
        if (from >= to || to - from < ahead / 2) return false;
        const std::size_t piece = std::min(to - from, kAheadPiece);
        backed_ = from + piece;  // a refusal means no more than page faults later: it is not asked for again
        return memory_.populate_area(Area::chunks, from, piece);
    }

private:
    static constexpr std::size_t kMostIdleOfSmallHeaps = 256 * 1024;
    static constexpr std::size_t kLeastAhead = 64 * 1024, kMostAhead = 4 * 1024 * 1024, kAheadPiece = 1024 * 1024;

    static constexpr unsigned kRunClasses = 40;

    struct Free {
        Free* next;
    };
    static unsigned run_class(std::size_t size) {
        return static_cast<unsigned>(std::bit_width((std::max<std::size_t>(size, 1) - 1) / kChunkBytes));
    }
    void grow(std::size_t by) {
        const std::size_t per_block = memory_.area_bytes(Area::chunks) / memory_.blocks();
        const std::size_t used = bytes();  // another thread may take what this one grows: then it comes here again
        const std::size_t wanted = (used + by + per_block - 1) / per_block;
        PERFLOC_CHECK(wanted <= memory_.blocks(),
                      "the memory reserved for recorded slots is used up ({} bytes): reserve more addresses", used);
        PERFLOC_CHECK(memory_.commit_blocks(wanted),
                      "the system refuses memory for recorded slots ({} bytes are in use)", used);
    }

    Memory& memory_;
    SpinLock lock_;  // of the three below
    Free* free_ = nullptr;
    Free* runs_[kRunClasses] = {};  ///< of 2^k chunks
    char* next_;
    char* start_;
    std::size_t backed_ = 0;  ///< get_ahead()'s
};

/// A growing sequence of T in chunks of a pool. Appending is O(1); splicing two sequences is O(1).
template <class T, class Pool = ChunkPool>
class ChunkList {
    struct Chunk;

public:
    static constexpr std::size_t kPerChunk = (Pool::kBytes - 24) / sizeof(T);

    bool empty() const { return count_ == 0; }
    std::size_t size() const { return count_; }

    PERFLOC_INLINE void push(Pool& pool, const T& value) {
        if (last_ == nullptr || last_->count == kPerChunk) [[unlikely]]
            add_chunk(pool);
        last_->values[last_->count++] = value;
        ++count_;
    }
    /// Into the cache, where the next value goes: first the chunk that it is in, and when that is there, its place.
    void fetch_last() const { __builtin_prefetch(last_, 1, 3); }
    void fetch_place() const {
        if (last_ != nullptr) __builtin_prefetch(&last_->values[last_->count], 1, 3);
    }
    const T& back() const { return last_->values[last_->count - 1]; }
    T& back() { return last_->values[last_->count - 1]; }

    /// Moves all of `other` behind this one's.
    void splice(ChunkList& other) {
        if (other.first_ == nullptr) return;
        if (first_ == nullptr) {
            *this = other;
        } else {
            last_->next = other.first_;
            other.first_->previous = last_;
            last_ = other.last_;
            count_ += other.count_;
        }
        other = {};
    }
    void clear(Pool& pool) {
        if (first_ != nullptr) pool.give_chain(first_, last_);
        *this = {};
    }
    /// Empties the list, which keeps one chunk for what comes next, where there are plenty: no lock. Not to be spliced while it is
    /// empty.
    void clear_but_one(Pool& pool) {
        if (first_ == nullptr) return;
        if (!pool.plenty()) return clear(pool);
        if (first_->next != nullptr) pool.give_chain(std::exchange(first_->next, nullptr), last_);
        first_->count = count_ = 0;
        last_ = first_;
    }

    /// Takes the newest value out.
    T pop(Pool& pool) {
        const T value = last_->values[--last_->count];
        --count_;
        if (last_->count == 0) drop_last(pool);
        return value;
    }

    /// A place in the list, for walking it in steps. Appending keeps it valid.
    class Cursor {
    public:
        Cursor() = default;
        /// The next value; null at the end, which appending moves on.
        T* next(const ChunkList& list) {
            if (chunk_ == nullptr) {
                if (list.first_ == nullptr) return nullptr;
                chunk_ = list.first_;
                at_ = 0;
            }
            while (at_ == chunk_->count) {
                if (chunk_->next == nullptr) return nullptr;
                chunk_ = chunk_->next;
                at_ = 0;
            }
            return &chunk_->values[at_++];
        }

    private:
        friend ChunkList;
        Chunk* chunk_ = nullptr;
        std::size_t at_ = 0;
    };

    /// Drops what is behind the place, up to which there are `count` values. O(1).
    void truncate(Pool& pool, const Cursor& place, std::size_t count) {
        if (place.chunk_ == nullptr) return clear(pool);
        Chunk* const last = place.chunk_;
        last->count = place.at_;
        if (last->next != nullptr) pool.give_chain(std::exchange(last->next, nullptr), last_);
        last_ = last;
        count_ = count;
    }

    template <class F>
    void for_each(F&& f) const {
        for (Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
            for (std::size_t i = 0; i < chunk->count; ++i) f(chunk->values[i]);
        }
    }
    /// Keeps what f returns true for; f may change it. In order, in place.
    template <class F>
    void filter(Pool& pool, F&& f) {
        ChunkList kept;
        Chunk* chunk = first_;
        while (chunk != nullptr) {
            Chunk* const next = chunk->next;
            // The kept values never outrun the chunks read, so at most one chunk more is in use.
            for (std::size_t i = 0; i < chunk->count; ++i) {
                T value = chunk->values[i];
                if (f(value)) kept.push(pool, value);
            }
            pool.give(chunk);
            chunk = next;
        }
        *this = kept;
    }

private:
    struct Chunk {
        Chunk* next;  // first: ChunkPool::give_chain
        Chunk* previous;
        std::size_t count;
        T values[kPerChunk];
    };
    static_assert(sizeof(Chunk) <= Pool::kBytes);

    __attribute__((noinline)) void add_chunk(Pool& pool) {
        auto* const chunk = static_cast<Chunk*>(pool.take());
        chunk->next = nullptr;
        chunk->previous = last_;
        chunk->count = 0;
        if (last_ != nullptr) {
            last_->next = chunk;
        } else {
            first_ = chunk;
        }
        last_ = chunk;
    }

    void drop_last(Pool& pool) {
        Chunk* const empty = last_;
        last_ = empty->previous;
        (last_ != nullptr ? last_->next : first_) = nullptr;
        pool.give(empty);
    }

    Chunk* first_ = nullptr;
    Chunk* last_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace perfloc::detail
