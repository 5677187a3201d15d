#pragma once

#include "runtime/chunk_pool.hpp"
#include "runtime/remembered_set.hpp"
#include "runtime/slot_table.hpp"

#include <cstdint>

namespace perfloc::detail {

class PageTable;
class SpanPool;

/// Rids remembered sets of repetitions, in steps of a few microseconds that those who record take: one set at a time, in
/// place, so that the set is whole at any moment and whoever needs it just takes it. Only the mutator uses it.
class Deduplication {
public:
    Deduplication(const PageTable& pages, const SpanPool& pool, ChunkPool& chunks)
        : pages_(pages), pool_(pool), chunks_(chunks) {}

    /// The set has grown enough to be looked at: one step. Where another set is being looked at, that one's.
    void step(RememberedSet& set);
    /// All of it, for tests. O(n).
    void finish(RememberedSet& set);
    /// A set is being looked at.
    bool running() const { return set_ != nullptr && set_->pass_ == number_; }

private:
    void begin(RememberedSet& set);
    void look_at_some();
    void end();
    bool keep(const IncomingSlot& slot);

    const PageTable& pages_;
    const SpanPool& pool_;
    ChunkPool& chunks_;
    SlotTable seen_;
    RememberedSet* set_ = nullptr;
    std::uint32_t number_ = 0;            ///< of the pass; the set has another one when its slots were taken
    std::uint64_t start_generation_ = 0;  ///< spans with a higher one are newer than the pass
    std::size_t kept_ = 0;
    ChunkList<IncomingSlot>::Cursor read_, write_;
};

}  // namespace perfloc::detail
