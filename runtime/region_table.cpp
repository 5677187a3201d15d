#include "runtime/region_table.hpp"

#include <new>

namespace perfloc::detail {

RegionTable::RegionTable(Memory& memory)
    : memory_(memory),
      regions_(reinterpret_cast<Region*>(memory.area(Area::regions))),
      records_(reinterpret_cast<RegionRecord*>(memory.area(Area::records))) {}

Region* RegionTable::create(std::uint64_t key, Region* parent) {
    std::uint32_t index = 0;
    if (free_ != nullptr) {
        index = free_->index;
        free_ = free_->next;
    } else {
        index = end_;
        const auto fits = [&] {
            return (index + std::size_t{1}) * sizeof(Region) <= memory_.area_committed(Area::regions) &&
                   (index + std::size_t{1}) * sizeof(RegionRecord) <= memory_.area_committed(Area::records);
        };
        if (!fits()) {  // where memory is committed in steps, the table's part grows with the accessible blocks
            const std::size_t per_block = memory_.area_bytes(Area::regions) / memory_.blocks();
            const std::size_t blocks = (index + std::size_t{1}) * sizeof(Region) / per_block + 1;
            if (blocks > memory_.blocks() || !memory_.commit_blocks(blocks) || !fits()) return nullptr;
        }
        ++end_;
    }
    Region* const region = ::new (&regions_[index]) Region(index);
    region->parent = parent;
    region->birth = ++births_;
    if (key >> 32 == kOwnLineage >> 32) key = std::uint64_t{index} << 32 | depth_of(key);
    open(*region, key);
    return region;
}

void RegionTable::recycle(Region& region) {
    while (region.absorbed != nullptr) {
        Region& merged = *region.absorbed;
        region.absorbed = merged.next;
        recycle(merged);
    }
    close(region, RegionState::unused);
    record(region).alias = 0;
    region.next = free_;
    free_ = &region;
}

}  // namespace perfloc::detail
