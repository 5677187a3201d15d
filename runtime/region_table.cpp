#include "runtime/region_table.hpp"

#include <mutex>
#include <new>
#include <utility>

namespace perfloc::detail {

RegionTable::RegionTable(Memory& memory)
    : memory_(memory),
      regions_(reinterpret_cast<Region*>(memory.area(Area::regions))),
      records_(reinterpret_cast<RegionRecord*>(memory.area(Area::records))) {}

/// A free index, or one that was never used; 0 where the table is full.
std::uint32_t RegionTable::take_index() {
    for (;;) {
        std::uint32_t index;
        {
            const std::lock_guard guard(lock_);
            if (free_ != nullptr) {
                index = free_->index;
                free_ = free_->next;
                return index;
            }
            if (merged_ != nullptr) {
                Region& merged = *merged_;
                merged_ = merged.next;
                unmerge(merged);
                return merged.index;
            }
            index = end_;
            if ((index + std::size_t{1}) * sizeof(Region) <= memory_.area_committed(Area::regions) &&
                (index + std::size_t{1}) * sizeof(RegionRecord) <= memory_.area_committed(Area::records)) {
                store_relaxed(end_, index + 1);
                return index;
            }
        }
        // Where memory is committed in steps, the table's part grows with the accessible blocks.
        const std::size_t per_block = memory_.area_bytes(Area::regions) / memory_.blocks();
        const std::size_t blocks = (index + std::size_t{1}) * sizeof(Region) / per_block + 1;
        if (blocks <= memory_.accessible_blocks() || blocks > memory_.blocks()) return 0;
        if (!memory_.commit_blocks(blocks)) return 0;
    }
}

Region* RegionTable::create(std::uint64_t key, Region* parent) {
    const std::uint32_t index = take_index();
    if (index == 0) return nullptr;
    Region* const region = ::new (&regions_[index]) Region(index);
    region->parent = parent;
    region->birth = births_.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: no more than a number
    if (key >> 32 == kOwnLineage >> 32) key = std::uint64_t{index} << 32 | depth_of(key);
    open(*region, key);
    return region;
}

void RegionTable::recycle(Region& region) {
    close(region, RegionState::unused);
    unmerge(region);
    const std::lock_guard guard(lock_);
    if (region.absorbed != nullptr) {
        region.absorbed_last->next = merged_;
        merged_ = std::exchange(region.absorbed, nullptr);
    }
    region.next = free_;
    free_ = &region;
}

}  // namespace perfloc::detail
