#include "runtime/slot_table.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace perfloc::detail {

void SlotTable::plan(ChunkPool& pool, std::size_t slots) {
    planned_ = std::bit_ceil(std::max<std::size_t>(1, 2 * slots / kPerChunk));
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(planned_ * kPerChunk));
    slots_ = 0;
    directory_ = static_cast<Slot**>(pool.take_run(planned_ * sizeof(Slot*)));
}

bool SlotTable::grow(ChunkPool& pool, std::size_t chunks) {
    for (; chunks_ < planned_ && chunks != 0; --chunks) {
        auto* const chunk = static_cast<Slot*>(pool.take());
        std::fill_n(chunk, kPerChunk, nullptr);
        directory_[chunks_++] = chunk;
    }
    return chunks_ == planned_;
}

bool SlotTable::shrink(ChunkPool& pool, std::size_t chunks) {
    for (; chunks_ != 0 && chunks != 0; --chunks) pool.give(directory_[--chunks_]);
    if (chunks_ != 0) return false;
    if (directory_ != nullptr) pool.give_run(std::exchange(directory_, nullptr), planned_ * sizeof(Slot*));
    return true;
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
