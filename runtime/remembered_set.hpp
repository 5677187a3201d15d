#pragma once

#include "runtime/chunk_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace perfloc::detail {

class Deduplication;

/// A Ref outside a region that points, or pointed, into it.
struct IncomingSlot {
    std::atomic<void*>* slot;
    std::uint64_t generation;  ///< of the slot's span when it was recorded (law [stale])

    friend bool operator==(const IncomingSlot&, const IncomingSlot&) = default;
};

/// A region's incoming slots: law [remset]. Appended without looking, but for a repetition of the last one; once the set
/// has doubled it is deduplicated, in steps, so that one outer field that is written a million times costs bounded memory.
/// Recording is O(1).
class RememberedSet {
public:
    bool empty() const { return slots_.empty(); }
    std::size_t size() const { return slots_.size(); }

    PERFLOC_INLINE void add(ChunkPool& pool, Deduplication& deduplication, IncomingSlot slot) {
        if (!slots_.empty() && slots_.back() == slot) return;
        slots_.push(pool, slot);
        if (slots_.size() >= look_at_) [[unlikely]]
            grown(deduplication);
    }
    /// To be walked at once.
    const ChunkList<IncomingSlot>& slots() const { return slots_; }
    /// O(1). The other one has no memory of its own afterwards.
    void splice(ChunkPool& pool, RememberedSet& other) {
        if (slots_.empty()) slots_.clear(pool);
        ChunkList<IncomingSlot> slots = other.take();
        slots_.splice(slots);
        other.clear(pool);
    }
    void clear(ChunkPool& pool) {
        least_ = kEnough;
        start_over();
        slots_.clear(pool);
    }
    /// For a region that is used again: keeps a chunk, so that most scopes that something escapes from take no lock for it.
    void clear_but_one(ChunkPool& pool) {
        least_ = kEnough;
        start_over();
        slots_.clear_but_one(pool);
    }
    /// While it is empty: below so many it need not be deduplicated, since the region is large beside them.
    void expect(std::size_t slots) { enough_ = look_at_ = least_ = std::max(kEnough, slots); }
    template <class F>
    void for_each(F&& f) const {
        slots_.for_each(f);
    }
    template <class F>
    void filter(ChunkPool& pool, F&& f) {
        start_over();
        slots_.filter(pool, f);
    }
    /// Hands all slots over, as a list. O(1).
    ChunkList<IncomingSlot> take() {
        start_over();
        return slots_.empty() ? ChunkList<IncomingSlot>{} : std::exchange(slots_, {});
    }
    /// To be walked in steps, while nothing is added: a deduplication that was under way is given up.
    const ChunkList<IncomingSlot>& hold() {
        pass_ = 0;
        return slots_;
    }

private:
    friend Deduplication;
    static constexpr std::size_t kEnough = 4096;

    __attribute__((noinline)) void grown(Deduplication& deduplication);
    void start_over() {
        enough_ = look_at_ = least_;
        pass_ = 0;
    }

    ChunkList<IncomingSlot> slots_;
    std::size_t least_ = kEnough;
    std::size_t enough_ = kEnough;   ///< slots from which on it is to be deduplicated
    std::size_t look_at_ = kEnough;  ///< slots at which that goes on
    std::uint32_t pass_ = 0;         ///< the pass that looks at it
};

}  // namespace perfloc::detail
