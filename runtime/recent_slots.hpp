#pragma once

#include "runtime/hash.hpp"
#include "runtime/remembered_set.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace perfloc::detail {

/// Which slots the running collection was told of lately, since its regions are frozen (what was recorded before is walked, and may be
/// forgotten, before the field changes again), so that a field that is written again and again meanwhile costs few
/// records. Direct-mapped: what is forgotten costs a repetition. (Small, so that it stays in the cache and costs no page
/// faults, as a bit for each word of the heap would.) Only the mutator uses it.
class RecentSlots {
public:
    /// False where it was there. What was told as a region's `own` slot is forgotten with the collection, so it is another
    /// one when it comes to refer to another region.
    bool insert(IncomingSlot slot, bool own) {
        if (own) slot.generation = ~slot.generation;
        IncomingSlot& place = places_[place_of(slot.slot)];
        if (place == slot) return false;
        place = slot;
        return true;
    }
    /// A collection begins. O(1): 16 KiB.
    void clear() { places_.fill({}); }

private:
    static constexpr std::size_t kPlaces = 1024;

    static std::size_t place_of(const void* slot) { return scattered(slot) >> 54; }

    std::array<IncomingSlot, kPlaces> places_{};
};

}  // namespace perfloc::detail
