#include "runtime/slot_table.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace perfloc::detail {

bool SlotTable::plan(std::size_t slots) try {
    planned_ = std::bit_ceil(std::max<std::size_t>(1, 2 * slots / kPerChunk));
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(planned_ * kPerChunk));
    slots_ = 0;
    chunks_.reserve(planned_);
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

bool SlotTable::grow(ChunkPool& pool, std::size_t chunks) {
    for (; chunks_.size() < planned_ && chunks != 0; --chunks) {
        auto* const chunk = static_cast<Slot*>(pool.take());
        std::fill_n(chunk, kPerChunk, nullptr);
        chunks_.push_back(chunk);
    }
    return chunks_.size() == planned_;
}

bool SlotTable::shrink(ChunkPool& pool, std::size_t chunks) {
    for (; !chunks_.empty() && chunks != 0; --chunks) {
        pool.give(chunks_.back());
        chunks_.pop_back();
    }
    return chunks_.empty();
}

SlotTable::Insert SlotTable::insert(Slot slot) {
    const std::size_t places = planned_ * kPerChunk;
    std::size_t i = first_place(slot);
    for (;; i = (i + 1) & (places - 1)) {
        Slot& at = place(i);
        if (at == slot) return Insert::found;
        if (at != nullptr) continue;
        if (slots_ >= places / 4 * 3) return Insert::full;
        at = slot;
        ++slots_;
        return Insert::added;
    }
}

}  // namespace perfloc::detail
