#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/heap_registry.hpp"
#include "runtime/remember.hpp"
#include "runtime/schedule_point.hpp"
#include "runtime/type_table.hpp"

#include <perfloc/detail/allocate.hpp>
#include <perfloc/detail/barrier.hpp>

#include <cstring>

/// The slow part of the write barrier: model, section 5. law [remset]: a reference between two regions is recorded in the
/// target's region, unless the target's scope encloses the slot's.
namespace perfloc::detail {

namespace {

[[noreturn]] PERFLOC_COLD void bad_target(const void* slot, const void* target) {
    if (in_any_heap(target)) {
        fail_with("a Ref at {} is given {}, a {} in another heap: a Ref refers to managed objects of its own heap",
                  slot, target, type_name_at(target));
    }
    fail_with("a Ref at {} is given {}, which is in no heap: a Ref refers to managed objects of its own heap", slot,
              target);
}

/// The slot is in no page of this mutator's heap: an aggregate on the stack, where a Ref is a plain pointer, or misuse.
PERFLOC_COLD void store_outside(std::atomic<void*>& slot, void* target) {
    PERFLOC_CHECK(
        !in_any_heap(&slot),
        "a Ref at {} is written by a thread that is not attached to its heap (or refers to an object of another heap)",
        static_cast<const void*>(&slot));
    slot.store(target, std::memory_order_release);
}

PERFLOC_COLD void check_resurrection(HeapCore& heap, const std::atomic<void*>& slot, const void* target) {
    if (heap.is_dying == nullptr || !heap.is_dying(heap, target) || heap.is_dying(heap, &slot)) return;
    fail_with("a destructor stores a dying object of type {} where it would live on: destructors may not resurrect",
              type_of(target).name);
}

/// law [remset]: the reference in `slot`, of region `from`, to `target`, of region `to`, neither of them merged and `to`
/// not known to enclose `from`, is recorded.
PERFLOC_INLINE void record_between(HeapCore& heap, std::atomic<void*>& slot, void* target, std::uint32_t from,
                                   std::uint32_t to) {
    RegionRecord& to_record = heap.regions.record(to);
    const auto state = static_cast<RegionState>(load_relaxed(to_record.state));
    PERFLOC_CHECK(state == RegionState::open || state == RegionState::condemned,
                  "a Ref is given a raw pointer to {} into scope \"{}\", which has ended (law [raw])",
                  static_cast<const void*>(target), LabelTable::name(heap.regions.at(to).label));
    Region& region = heap.regions.at(to);
    region.incoming.add(heap.chunks, heap.deduplication, {&slot, heap.pages.span_at(&slot).generation});
    // Read before written: these seldom change, and a row of records would wait for each other's stores.
    if ((region.attention & kIncoming) == 0) region.attention |= kIncoming;
    if (Region& source = heap.regions.at(from); (source.attention & kSource) == 0) source.attention |= kSource;
    if (to_record.published == 0) {
        // Protocol P5: another mutator may come to it through the root, another lineage or a published region.
        const RegionRecord& from_record = heap.regions.record(from);
        if (from == kRootRegion || from_record.published != 0 || from_record.key >> 32 != to_record.key >> 32) {
            to_record.published = 1;
        }
    }
}

/// The regions differ and the target's is not known to enclose the slot's by the fast compare.
__attribute__((noinline)) void record(std::atomic<void*>& slot, void* target, std::uint32_t from, std::uint32_t to) {
    HeapCore& heap = *hot.mutator->heap;
    if (to == kRootRegion) return;
    if ((heap.regions.record(from).alias | heap.regions.record(to).alias) != 0) [[unlikely]] {
        record_reference(heap, slot, target);
    } else {
        record_between(heap, slot, target, from, to);
    }
}

/// While a collection goes on, or destructors run: the old value is shaded before it is overwritten. Protocol P1, P8.
__attribute__((noinline)) void watched_store(std::atomic<void*>& slot, void* target, bool overwrites) {
    HeapCore& heap = *hot.mutator->heap;
    if (overwrites && heap.collection.active()) {
        void* const old = slot.load(std::memory_order_relaxed);
        schedule_point();
        if (old != nullptr) shade(heap, old);
    }
    schedule_point();
    slot.store(target, std::memory_order_release);
    if (target == nullptr) return;
    check_resurrection(heap, slot, target);
    record_reference(heap, slot, target);
    schedule_point();
}

/// Stores, and records what the reference needs.
PERFLOC_INLINE void place(std::atomic<void*>& slot, void* target, bool overwrites) {
    const std::uintptr_t s = reinterpret_cast<std::uintptr_t>(&slot) - hot.base;
    const std::uintptr_t t = reinterpret_cast<std::uintptr_t>(target) - hot.base;
    if (s >= hot.reserved) [[unlikely]]
        return store_outside(slot, target);
    if (t >= hot.reserved) [[unlikely]]
        bad_target(&slot, target);
    if (hot.watch != 0) [[unlikely]]
        return watched_store(slot, target, overwrites);
    slot.store(target, std::memory_order_release);
    // Plain reads: of pages and regions in use, which the background does not write.
    const std::uint32_t from = hot.region_of_page[s >> kPageShift];
    const std::uint32_t to = hot.region_of_page[t >> kPageShift];
    if (from == to || key_encloses(hot.records[to].key, hot.records[from].key)) [[likely]]
        return;
    record(slot, target, from, to);
}

}  // namespace

void record_reference(HeapCore& heap, std::atomic<void*>& slot, void* target) {
    const std::uint32_t from = heap.regions.resolve(heap.pages.region_at(&slot));
    const std::uint32_t to = heap.regions.resolve(heap.pages.region_at(target));
    if (looks_at(heap, to)) {
        // Nearly all stores while open scopes are marked: there is nothing to be known of the target.
        if (from == to && heap.collection.mode == BarrierMode::marking && in_set(heap, &slot)) return;
        if (in_set(heap, target)) return record_condemned(heap, slot, target, from, to);
    }
    if (from == to || to == kRootRegion) return;
    if (key_encloses(heap.regions.record(to).key, heap.regions.record(from).key)) return;
    record_between(heap, slot, target, from, to);
    // Protocol P7: a waiting region's collection has not begun; it will walk this slot, but the slot may die before.
    if (heap.collection.waiting != 0) shade(heap, target);
}

void store_slow(std::atomic<void*>& slot, void* target) noexcept {
    if (target != nullptr) {
        place(slot, target, true);
    } else if (hot.watch != 0 && in_heap(&slot)) {
        watched_store(slot, nullptr, true);
    } else {
        slot.store(nullptr, std::memory_order_release);
    }
}

void initialise_slow(std::atomic<void*>& slot, void* target) noexcept {
    if (target != nullptr) {
        place(slot, target, false);
    } else {
        slot.store(nullptr, std::memory_order_release);
    }
}

void check_new_object(void* object) noexcept {
    for_each_ref(object, header_of(object), type_shapes(), [](std::atomic<void*>& slot) {
        void* const target = slot.load(std::memory_order_relaxed);
        if (target != nullptr) place(slot, target, false);
    });
}

/// law [stale]: a slot of it that was recorded reads as null from now on. Protocol P1: what it held may be in a raw pointer.
void other_scope_left(Header header) noexcept {
    fail_with(
        "a constructor of type {} leaves another scope current than it found: its object would be one scope's, and its "
        "handle and its destructor another's",
        type_info(header_type(header)).name);
}

void abandon_object(void* object, std::size_t bytes, Header header) noexcept {
    if (hot.watch != 0) {
        for_each_ref(object, header, type_shapes(), [](std::atomic<void*>& slot) { store_slow(slot, nullptr); });
    }
    std::memset(object, 0, bytes - kHeaderBytes);
}

}  // namespace perfloc::detail
