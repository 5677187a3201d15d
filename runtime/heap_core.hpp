#pragma once

#include "runtime/chunk_pool.hpp"
#include "runtime/clock.hpp"
#include "runtime/collection_state.hpp"
#include "runtime/collector.hpp"
#include "runtime/deduplication.hpp"
#include "runtime/event_bus.hpp"
#include "runtime/label_table.hpp"
#include "runtime/list.hpp"
#include "runtime/memory.hpp"
#include "runtime/pause_log.hpp"
#include "runtime/recent_slots.hpp"
#include "runtime/region_table.hpp"
#include "runtime/span_pool.hpp"
#include "runtime/stress.hpp"

#include <perfloc/options.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace perfloc::detail {

/// A thread that allocates.
struct MutatorCore {
    HeapCore* heap = nullptr;
    Region* outermost = nullptr;
    std::uint64_t thread = 0;              ///< which thread it is attached to
    std::uint64_t bytes_at_last_poll = 0;  ///< spans handed out to it until then
    Region* nominal_top = nullptr;         ///< innermost scope under `full` and `none`
    std::uint32_t no_pause = 0;            ///< NoPause guards,
    std::uint64_t promised_bytes = 0;      ///< the bytes that these were promised,
    std::uint64_t promised_at = 0;         ///< and how many were used then
};

/// Totals since the heap was made.
struct Totals {
    std::uint64_t released_bytes = 0;  ///< in O(1), on slow paths; the fast path counts in the labels
    std::uint64_t promoted_bytes = 0;
    std::uint64_t scopes_released = 0;
    std::uint64_t promotions = 0;
    std::uint64_t scope_collections = 0;
    std::uint64_t full_collections = 0;
    std::uint64_t lost_handles = 0;
    std::uint64_t suspicious_words = 0;
    std::uint64_t stale_words = 0;
    std::uint64_t span_bytes = 0;  ///< handed out
    /// By cause. Relaxed: counters that stand alone, of two threads.
    std::array<std::atomic<std::uint64_t>, kPauseCauses> slice_overruns{};
};

/// All state of a heap.
struct HeapCore {
    explicit HeapCore(const Options& options);
    ~HeapCore();
    HeapCore(const HeapCore&) = delete;
    HeapCore& operator=(const HeapCore&) = delete;

    const std::uint64_t number;  ///< which heap of the process, from 1
    Options options;
    Stress stress;
    std::vector<std::unique_ptr<EventListener>> own_listeners;  ///< that the environment asks for
    Memory memory;
    PageTable pages;
    RegionTable regions;
    SpanPool pool;
    ChunkPool chunks;
    RecentSlots recent_slots;
    Deduplication deduplication;
    LabelTable labels;
    PauseLog pauses;
    Totals totals;
    EventBus events{*this};
    FullCollectionReport last_full;
    std::unique_ptr<CollectorInterface> collector;

    Region* root = nullptr;
    CollectionState collection;
    Region* first_detached = nullptr;             ///< open detached regions,
    std::size_t detached_scopes = 0;              ///< and how many there are
    Region* first_condemned = nullptr;            ///< ended regions that are not settled yet
    Region* first_dropped = nullptr;              ///< spares that nothing will use, by `next`, each with those below it
    Region* first_parked = nullptr;               ///< released regions that a collection may still look at: law [park]
    std::atomic<MutatorCore*> attached{nullptr};  ///< one at a time, as yet
    std::mutex global_handles;                    ///< guards every region's lists of global handles, and:
    bool keep_dropped_globals = false;            ///< a collection gathers its roots, or waits
    ChunkList<HandleNode> ghosts;                 ///< global handles that were dropped meanwhile, as roots
    std::size_t collect_above = 0;                ///< used bytes above which a poll collects the whole heap
    bool safepoint_due = false;
    std::atomic<std::size_t> kept_resident{0};  ///< bytes promised to NoPauses: so much idle memory is not given back
    bool refused = false;                       ///< memory, since the last poll
    bool whole_heap_destroys = false;  ///< destructors of a full collection run: scopes that end meanwhile merge

    /// The region is one of this heap's.
    bool owns(const Region& region) const { return &regions.at(region.index) == &region; }

    HandleNode dying, dying_globals;  ///< sentinels: handles that running destructors have made to the dying

    /// While destructors of a dying set run: a store of a dying object outside the set aborts.
    bool (*is_dying)(HeapCore&, const void* object) = nullptr;

    /// Scopes have regions of their own only where their end is listened to.
    bool listens() const { return options.collector == Collector::hinted; }

    Region& region_at(const void* address) { return regions.at(regions.resolve(pages.region_at(address))); }
    /// A state in which every end and every safepoint looks closer.
    std::uint32_t standing_attention() const {
        return (stress.any() || kAsan ? static_cast<std::uint32_t>(kAlways) : 0u) |
               (collection.active() ? static_cast<std::uint32_t>(kAttend) : 0u);
    }

    /// A span of `bytes` was handed out: growth is looked at here, and nowhere on a fast path.
    void note_span(std::uint32_t page) {
        const std::size_t bytes = std::size_t{pages.span(page).pages} * kPageBytes;
        totals.span_bytes += bytes;
        if (pool.used_bytes() > collect_above) safepoint_due = true;
    }

    /// Calls f on every region whose scope is open: the root, the detached ones, and the mutator's nest.
    template <class F>
    void for_each_open_region(F&& f) const {
        f(*root);
        for (Region* r = first_detached; r != nullptr; r = r->next_listed) f(*r);
        if (hot.mutator == nullptr || hot.mutator != mutator()) return;  // another thread does not know the scopes
        for (Region* r = current_region(); r != nullptr && r != root; r = r->around()) {
            if (!r->detached) f(*r);
        }
    }
    /// Null where none is attached. Any thread may ask; another's may leave at any time.
    MutatorCore* mutator() const { return attached.load(std::memory_order_relaxed); }
    /// The innermost region of the attached mutator (the caller's thread, as yet).
    Region* current_region() const { return static_cast<Region*>(hot.region); }
};

/// Throws OptionError for a budget that makes no sense.
void check_pauses(const PauseBudget& budget);

/// The heap of the calling thread's mutator; throws AttachError where there is none.
HeapCore& current_heap(const char* what);

}  // namespace perfloc::detail
