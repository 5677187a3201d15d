#pragma once

#include "runtime/chunk_pool.hpp"
#include "runtime/remembered_set.hpp"

#include <cstdint>

/// What the mutator's paths must know of a collection beside the program. Only the mutator reads and writes it: it is the
/// mutator that begins a collection, and that answers its handshakes.
namespace perfloc::detail {

struct Region;

enum class BarrierMode : std::uint8_t {
    idle,       ///< no collection
    gathering,  ///< its roots are being walked: what is recorded, linked or dropped is shaded, beside old values
    marking,    ///< old values are shaded (a snapshot at the beginning, after Yuasa, 1990)
    settling,   ///< the living are known; they are being moved or handed over
};

/// Since the heap was made.
struct CollectionCounts {
    std::uint64_t pressure_cycles = 0;    ///< collections of open scopes
    std::uint64_t condemned = 0;          ///< regions that ended
    std::uint64_t condemned_waiting = 0;  ///< of those, while a collection went on
    std::uint64_t condemned_in_set = 0;   ///< ... that looked at them
    std::uint64_t waiting_in_set = 0;     ///< ... that waited, and were looked at with what is open
    std::uint64_t frozen_early = 0;       ///< open ones that were frozen since their memory was about to change
    std::uint64_t few_survived = 0;       ///< that ended, and of which so little survived that no collection was needed
    std::uint64_t spans_adopted = 0;
    std::uint64_t spans_evacuated = 0;
    std::uint64_t allocation_slices = 0;  ///< given where allocation took memory
    std::uint64_t hole_pages = 0;         ///< cut out of spans that stayed, by collections of any kind
};

/// What a collection of open scopes looks at: all that is open, or has ended and waits, in `outermost` when it begins. All of it
/// belongs to the set from that moment on; its regions are frozen one by one, at the latest before their memory changes.
struct OpenSet {
    bool freezing = false;  ///< not all of them are frozen yet
    Region* outermost = nullptr;
    std::uint64_t last_birth = 0;      ///< of regions, when it began,
    std::uint64_t last_condemned = 0;  ///< and of those that had ended
    RememberedSet own_slots;           ///< of all of them: their own slots that the collection was told of
};

struct CollectionState {
    BarrierMode mode = BarrierMode::idle;
    std::uint32_t waiting = 0;           ///< ended regions that wait for the next collection
    std::uint64_t waiting_bytes = 0;     ///< in their spans, when they ended or the last collection began
    std::uint32_t cycle = 0;             ///< number of the running collection, or of the last
    std::uint64_t start_generation = 0;  ///< spans with a higher one are newer than the running collection
    bool pressure = false;               ///< the running collection is one of open regions:
    OpenSet open;
    bool frozen = false;               ///< its regions are: what is recorded from now on comes after what it began with
    bool candidates_known = false;     ///< which spans are to be evacuated
    bool dead_known = false;           ///< what is not marked in the set is dead, and its destructors have run
    std::uint64_t polls = 1;           ///< that the collector has seen
    std::uint64_t parked = 0;          ///< scopes that were released and parked so far
    std::uint64_t parked_at_poll = 0;  ///< ... before the last poll: no raw pointer came out of them
    ChunkList<void*> shades;           ///< for the running collection
    std::size_t unsorted_shades = 0;   ///< so many may be of anything: whether they matter, the collector finds out
    ChunkList<void*> waiting_shades;   ///< protocol P1: for the next one, of objects that wait for it
    ChunkList<void*> begun_shades;  ///< those when the running one began, until it has found out which are of its set
    ChunkList<void*> settling_shades;  ///< of objects in the set, while regions wait: these may adopt them
    CollectionCounts counts;

    bool active() const { return mode != BarrierMode::idle || waiting != 0; }
    /// Handles too are looked at (protocol P9), and new values are shaded.
    bool gathers() const { return mode == BarrierMode::gathering || waiting != 0; }
};

}  // namespace perfloc::detail
