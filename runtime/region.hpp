#pragma once

#include "runtime/chunk_pool.hpp"
#include "runtime/remembered_set.hpp"
#include "runtime/span.hpp"

#include <perfloc/detail/hot.hpp>
#include <perfloc/scope.hpp>

#include <cstdint>

namespace perfloc::detail {

/// The state of a region, in its record.
enum class RegionState : std::uint8_t {
    unused,     ///< its index may be given to a new region
    open,       ///< its scope is open (or it is the root), or it is a spare: ended, and ready for the next scope
    condemned,  ///< ended; a collection looks at it, or will
    parked,     ///< released, but a slot in it may yet have to be looked at (protocol P20)
    merged,     ///< its spans belong to the region that its record names
    pooled,     ///< its spans are in the pool
};

/// Why the end of a scope must look closer.
enum Attention : std::uint32_t {
    kMoreSpans = 1u << 0,  ///< it has more than its first span
    kIncoming = 1u << 1,   ///< slots are recorded that point into it
    kSource = 1u << 2,     ///< a slot in it is recorded elsewhere
    kCleanups = 1u << 3,   ///< it holds objects with destructors
    kWeak = 1u << 4,       ///< weak or global handles were made to its objects
    kKeep = 1u << 5,       ///< keep() was called
    // 1u << 6: kConstructingBit
    kAlways = 1u << 7,   ///< stress modes, AddressSanitizer, detached scopes
    kAttend = 1u << 8,   ///< a collection goes on: the end gives it a slice
    kPending = 1u << 9,  ///< an inner scope is not settled yet, or a collection looks at this one: see must_wait()
};

/// The memory of one scope: its spans, its bump cursors, its incoming slots, its handles, its cleanups.
struct Region : RegionHot, SpanLists {
    std::uint32_t first_span = 0;    ///< page of the first span; kept by a spare region
    std::uint32_t current_span = 0;  ///< page of the span that the cursor is in; 0: none
    std::uint32_t pinned_span = 0;
    char* pinned_cursor = nullptr;
    char* pinned_limit = nullptr;
    std::uint64_t pages = 0;         ///< in all its spans
    std::uint64_t filled_bytes = 0;  ///< allocated in spans that are full, pinned or large

    // --- who refers to it
    RememberedSet incoming;
    HandleNode weak, global, global_weak;  ///< sentinels

    ChunkList<void*> cleanups;  ///< objects with destructors, oldest first

    Region* next = nullptr;             ///< in the pool's stack, or in the list of free indices
    Region* previous = nullptr;         ///< in the pool's stack: released after this one
    std::uint32_t released_at = 0;      ///< the pool's clock then
    Region* entered_from = nullptr;     ///< of a detached region that is entered: the region that was current before
    Region* absorbed = nullptr;         ///< regions merged into this one whose indices its pages still name, by `next`
    Region* absorbed_last = nullptr;    ///< of these, where there are any
    Region* absorbed_before = nullptr;  ///< those that had been when the running collection of open regions began
    Region* next_listed = nullptr;      ///< open detached regions form a list, and ended ones that are not settled yet
    Region* previous_listed = nullptr;
    Region* nominal_of = nullptr;     ///< of a scope that is not listened to: the region that its objects really go to
    std::uint64_t nominal_bytes = 0;  ///< ... and the bytes that were allocated in its name
    // --- while a collection beside the program looks at it
    SpanLists condemned;  ///< its spans when that began, later those that stay; those of the lists above are newer
    SpanLists sparse;     ///< those of them that are to be evacuated
    SpanLists freed;      ///< those of them that nothing lives in any more
    ChunkList<IncomingSlot> frozen;       ///< its incoming slots when that began
    ChunkList<IncomingSlot> since;        ///< those recorded from then until the spans to be evacuated were known
    RememberedSet own_slots;              ///< its own slots that the collection was told of
    ChunkList<void*> condemned_cleanups;  ///< and its objects with destructors
    HandleNode walked, walked_global;     ///< sentinels: handles that have to be looked at yet
    Region* enclosing = nullptr;          ///< where what handles hold goes to; its end waits for this one's
    Region* outside = nullptr;   ///< the innermost around it that the collection does not look at: of ended scopes
    std::uint32_t pending = 0;   ///< scopes that must be settled before this one may be
    std::uint32_t fallback = 0;  ///< where survivors go that no root's destination was found for
    std::uint32_t selected = 0;  ///< of `pending`, how many the collection that begins looks at; else 0
    std::uint32_t destination_of = 0;  ///< the last collection that sends survivors here
    ScopeReport* report_to = nullptr;  ///< whoever waits for it
    std::uint64_t promoted_bytes = 0;
    std::uint64_t promoted_objects = 0;
    std::uint64_t settled_pages = 0;  ///< after the last collection of it
    std::uint64_t root_lineage = 0;   ///< of the roots found so far; all ones: several
    std::uint64_t ended_key = 0;      ///< its record's key until it was condemned
    std::uint64_t condemned_as = 0;   ///< its number among those that were condemned; 0: it was not
    std::uint64_t waiting_pages = 0;  ///< its pages then
    std::uint64_t counted_bytes = 0;  ///< what its label's counters know of it: since then others' survivors may come
    std::uint64_t parked_at = 0;      ///< its number among those that were parked
    std::uint64_t parked_before =
        0;                          ///< how many had been when it ended, or what was merged into it since the last poll
    std::uint64_t merged_poll = 0;  ///< the last poll before what had waited was merged into it
    std::uint64_t received_poll = 0;  ///< the poll after which came survivors that raw pointers from elsewhere may name
    bool receives = false;            ///< ... or may still come
    bool owed = false;                ///< it waits, and was looked at with open scopes: its turn comes before theirs
    bool start_in_poll = false;       ///< its collection begins in a poll only

    bool detached = false;
    bool entered = false;
    std::uint64_t birth = 0;  ///< serial number, for reports

    explicit Region(std::uint32_t number) {
        index = number;
        for (HandleNode* list : {&handles, &weak, &global, &global_weak, &walked, &walked_global}) {
            list->next = list->previous = list;
        }
    }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    Region* parent_region() const { return static_cast<Region*>(parent); }
    /// The scope that is current again after this one, of whatever lineage; null for the root.
    Region* around() const { return entered ? entered_from : parent_region(); }
    Region* spare_region() const { return static_cast<Region*>(spare); }
};

/// Puts a region in front of a list of Region::next_listed, and takes it out. O(1).
inline void link_region(Region*& first, Region& region) {
    region.previous_listed = nullptr;
    region.next_listed = first;
    if (first != nullptr) first->previous_listed = &region;
    first = &region;
}
inline void unlink_region(Region*& first, Region& region) {
    (region.previous_listed != nullptr ? region.previous_listed->next_listed : first) = region.next_listed;
    if (region.next_listed != nullptr) region.next_listed->previous_listed = region.previous_listed;
    region.next_listed = region.previous_listed = nullptr;
}

inline Region& as_region(RegionHot& region) { return static_cast<Region&>(region); }

inline bool list_empty(const HandleNode& sentinel) { return sentinel.next == &sentinel; }

/// Calls f on each node of a list; f may unlink or relink it.
template <class F>
void for_each_handle(HandleNode& sentinel, F&& f) {
    for (HandleNode* node = sentinel.next; node != &sentinel;) {
        HandleNode* const next = node->next;
        f(*node);
        node = next;
    }
}

/// Moves all of `from` behind `to`'s sentinel. O(1).
inline void splice_handles(HandleNode& to, HandleNode& from) {
    if (list_empty(from)) return;
    HandleNode* const first = from.next;
    HandleNode* const last = from.previous;
    last->next = to.next;
    to.next->previous = last;
    to.next = first;
    first->previous = &to;
    from.next = from.previous = &from;
}

}  // namespace perfloc::detail
