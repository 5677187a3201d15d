#pragma once

#include "runtime/chunk_pool.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace perfloc::detail {

/// A Ref outside a region that points, or pointed, into it.
struct IncomingSlot {
    std::atomic<void*>* slot;
    std::uint64_t generation;  ///< of the slot's span when it was recorded (law [stale])

    friend bool operator==(const IncomingSlot&, const IncomingSlot&) = default;
};

/// A region's incoming slots: law [remset]. Appended without looking, but for a repetition of the last one; once the set
/// has doubled it is deduplicated, so that one outer field that is written a million times costs bounded memory.
/// Recording is amortised O(1) (sorting included: O(log n)).
class RememberedSet {
public:
    bool empty() const { return slots_.empty(); }
    std::size_t size() const { return slots_.size(); }

    PERFLOC_INLINE void add(ChunkPool& pool, IncomingSlot slot) {
        if (!slots_.empty() && slots_.back() == slot) return;
        slots_.push(pool, slot);
        if (slots_.size() >= deduplicate_at_) [[unlikely]]
            deduplicate(pool);
    }
    /// O(1).
    void splice(RememberedSet& other) {
        slots_.splice(other.slots_);
        other.deduplicate_at_ = kFirstDeduplication;
    }
    void clear(ChunkPool& pool) {
        slots_.clear(pool);
        deduplicate_at_ = kFirstDeduplication;
    }
    template <class F>
    void for_each(F&& f) const {
        slots_.for_each(f);
    }
    template <class F>
    void filter(ChunkPool& pool, F&& f) {
        slots_.filter(pool, f);
    }
    void deduplicate(ChunkPool& pool);
    /// Hands all slots over, as a list.
    ChunkList<IncomingSlot> take() {
        deduplicate_at_ = kFirstDeduplication;
        return std::exchange(slots_, {});
    }
    /// While it is walked in steps it is only appended to.
    void hold() { deduplicate_at_ = SIZE_MAX; }
    const ChunkList<IncomingSlot>& list() const { return slots_; }

private:
    static constexpr std::size_t kFirstDeduplication = 4096;

    ChunkList<IncomingSlot> slots_;
    std::size_t deduplicate_at_ = kFirstDeduplication;
};

}  // namespace perfloc::detail
