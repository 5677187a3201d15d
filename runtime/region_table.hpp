#pragma once

#include "runtime/region.hpp"
#include "runtime/relaxed.hpp"
#include "runtime/spin_lock.hpp"

#include <atomic>
#include <cstdint>

namespace perfloc::detail {

/// All regions of a heap, by index, and their records. An index is used again only when no page names it. create() and
/// recycle() are thread-safe; a record is written by whoever has its region, and may be read meanwhile.
class RegionTable {
public:
    RegionTable(Memory& memory);

    /// An open region without spans; null when there are too many. O(1).
    Region* create(std::uint64_t key, Region* parent);
    /// Its index may be used again, and those of what was merged into it: no page names them any more. O(1).
    void recycle(Region& region);

    Region& at(std::uint32_t index) const { return regions_[index]; }
    RegionRecord& record(std::uint32_t index) const { return records_[index]; }
    RegionRecord& record(const Region& region) const { return records_[region.index]; }
    const RegionRecord* records() const { return records_; }
    RegionState state(std::uint32_t index) const {
        return static_cast<RegionState>(load_relaxed(records_[index].state));
    }
    RegionState state(const Region& region) const { return state(region.index); }

    /// Opens or closes: a region that is not open has a key that nothing encloses and that encloses nothing.
    void open(Region& region, std::uint64_t key) {
        RegionRecord& r = record(region);
        store_relaxed(r.key, key);
        store_relaxed(r.alias, 0u);
        r.published = 0;
        r.looked_at = 0;
        store_relaxed(r.state, static_cast<std::uint8_t>(RegionState::open));
    }
    void close(Region& region, RegionState state) {
        RegionRecord& r = record(region);
        store_relaxed(r.key, kClosed | std::uint64_t{region.index} << 32);
        store_relaxed(r.state, static_cast<std::uint8_t>(state));
    }
    void merge(Region& region, const Region& into) {
        close(region, RegionState::merged);
        store_relaxed(record(region).alias, into.index);
    }
    /// No index leads through this one any more.
    void unmerge(const Region& region) { store_relaxed(record(region).alias, 0u); }
    /// The region that `index` stands for, merges followed and shortened.
    std::uint32_t resolve(std::uint32_t index) {
        while (const std::uint32_t next = load_relaxed(records_[index].alias)) {
            if (const std::uint32_t after = load_relaxed(records_[next].alias); after != 0) {
                store_relaxed(records_[index].alias, after);
            }
            index = next;
        }
        return index;
    }
    /// The same, shortening nothing: for a thread that only looks.
    std::uint32_t find(std::uint32_t index) const {
        while (const std::uint32_t next = load_relaxed(records_[index].alias)) index = next;
        return index;
    }
    /// Stands for a lineage of the region's own in a key given to create(): named by its index, it is unique while the
    /// region is open, and never used up.
    static constexpr std::uint64_t kOwnLineage = std::uint64_t{0x7fff'ffff} << 32;
    static std::uint64_t depth_of(std::uint64_t key) { return key & 0xffff'ffff; }
    /// The outermost region of the lineage.
    const Region& base_of(std::uint64_t key) const { return regions_[key >> 32]; }
    /// How many have been created.
    std::uint64_t births() const { return births_.load(std::memory_order_relaxed); }

    std::uint32_t end() const { return load_relaxed(end_); }  ///< one above the highest index ever used
    template <class F>
    void for_each_open(F&& f) {
        for (std::uint32_t i = 1; i < end(); ++i) {
            if (state(i) == RegionState::open) f(regions_[i]);
        }
    }

private:
    static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

    std::uint32_t take_index();

    Memory& memory_;
    Region* regions_;
    RegionRecord* records_;
    SpinLock lock_;  // of the three below
    Region* free_ = nullptr;
    Region* merged_ = nullptr;  // the same, into what has been recycled
    std::uint32_t end_ = 1;     // 0 is no region
    std::atomic<std::uint64_t> births_{0};
};

}  // namespace perfloc::detail
