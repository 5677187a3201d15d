#pragma once

#include "runtime/chunk_pool.hpp"
#include "runtime/hash.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace perfloc::detail {

/// A set of slots in chunks, made and given back in steps: so that neither costs a pause, and its memory is what others used
/// before. Open addressing, linear probing (Knuth, volume 3, section 6.4).
class SlotTable {
public:
    using Slot = std::atomic<void*>*;

    /// Wants room for `slots`, while it is empty and has given all back. O(1).
    void plan(ChunkPool& pool, std::size_t slots);
    /// Takes at most so many chunks towards the plan; true when that is met.
    bool grow(ChunkPool& pool, std::size_t chunks);
    /// Gives at most so many chunks back; true when it has none.
    bool shrink(ChunkPool& pool, std::size_t chunks);

    bool empty() const { return directory_ == nullptr; }

    enum class Insert { added, found, full };
    /// Expected O(1). Once the plan is met.
    Insert insert(Slot slot);
    /// Fetches the line where it belongs. Once the plan is met.
    void fetch(Slot slot) const { __builtin_prefetch(&place(first_place(slot)), 1, 3); }

private:
    static constexpr std::size_t kPerChunk = kChunkBytes / sizeof(Slot);

    std::size_t first_place(Slot slot) const { return scattered(slot) >> shift_; }
    Slot& place(std::size_t i) const { return directory_[i / kPerChunk][i % kPerChunk]; }

    Slot** directory_ = nullptr;  ///< the chunks; out of the same pool, since malloc may ask the system for as much
    std::size_t chunks_ = 0;      ///< so many of those that are
    std::size_t planned_ = 0;     ///< a power of two
    std::size_t slots_ = 0;
    unsigned shift_ = 0;
};

}  // namespace perfloc::detail
