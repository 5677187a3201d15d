#include "runtime/handles.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/schedule_point.hpp"
#include "runtime/type_table.hpp"

#include <perfloc/detail/handle_list.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <atomic>

namespace perfloc::detail {

namespace {

/// The region whose lists a handle to `object` belongs in. law [remset]: a collection walks its region's lists.
Region& region_for(void* object, const char* what) {
    PERFLOC_CHECK(hot.mutator != nullptr, "{} is made on a thread without a mutator", what);
    PERFLOC_CHECK(in_heap(object), "{} is made to {}, which is not in the heap of this thread's mutator", what, object);
    HeapCore& heap = *hot.mutator->heap;
    const std::uint32_t index = heap.regions.resolve(heap.pages.region_at(object));
    const RegionState state = heap.regions.state(index);
    PERFLOC_CHECK(state == RegionState::open || state == RegionState::condemned,
                  "{} is made from a raw pointer to {} into scope \"{}\", which has ended (law [raw])", what, object,
                  LabelTable::name(heap.regions.at(index).label));
    return heap.regions.at(index);
}

/// A collection sees the handle's object (protocol P9), and does not move it.
void show(HeapCore& heap, void* object) {
    if (!heap.collection.active()) return;
    schedule_point();
    if (in_set(heap, object)) store_relaxed(heap.pages.span_at(object).held, heap.collection.cycle);
    shade(heap, object);
}

/// Relaxed: the collector looks at it too, and is not the last to look (protocol P17).
void add_pins(void* object, int more) {
    std::uint32_t& pins = hot.mutator->heap->pages.span_at(object).pins;
    store_relaxed(pins, pins + static_cast<std::uint32_t>(more));
}

/// While destructors run, a handle to a dying object is kept apart: it must be gone when they return.
HandleNode& list_for(HeapCore& heap, HandleNode& list, const void* object, bool global) {
    if (heap.is_dying == nullptr || !heap.is_dying(heap, object)) return list;
    return global ? heap.dying_globals : heap.dying;
}

/// A node of the heap's own beside one that is dropped. With the lock of global handles.
void leave_ghost(HeapCore& heap, HandleNode& node) {
    heap.ghosts.push(heap.chunks, {});
    HandleNode& ghost = heap.ghosts.back();
    ghost.object = node.object;
    ghost.owner = node.owner;
    insert_after(node, ghost);
}

/// Null: it is not linked. The collector may disown a weak one at any time; whether it is linked yet, its `next` says under the lock.
HeapCore* heap_of_global(const HandleNode& node) {
    const std::atomic_ref owner(const_cast<HandleNode&>(node).owner);
    return reinterpret_cast<HeapCore*>(owner.load(std::memory_order_acquire));  // pairs with disown()
}

}  // namespace

void link_handle(HandleNode& node, void* object) noexcept {
    Region& region = region_for(object, "a Handle");
    node.object = object;
    node.owner = hot.mutator;
    insert_after(list_for(*hot.mutator->heap, region.handles, object, false), node);
    show(*hot.mutator->heap, object);
}

void link_weak(HandleNode& node, void* object) noexcept {
    Region& region = region_for(object, "a WeakHandle");
    node.object = object;
    node.owner = hot.mutator;
    insert_after(list_for(*hot.mutator->heap, region.weak, object, false), node);
    region.attention |= kWeak;
    show(*hot.mutator->heap, object);
}

void link_global(HandleNode& node, void* object, bool weak) noexcept {
    Region& region = region_for(object, weak ? "a GlobalWeakHandle" : "a GlobalHandle");
    HeapCore& heap = *hot.mutator->heap;
    {
        const std::lock_guard guard(heap.global_handles);
        node.object = object;
        node.owner = reinterpret_cast<MutatorCore*>(&heap);  // a global handle's owner is its heap
        insert_after(list_for(heap, weak ? region.global_weak : region.global, object, true), node);
        region.attention |= kWeak;
        heap.regions.record(region).published = 1;
    }
    show(heap, object);
}

void copy_global(HandleNode& node, const HandleNode& model) noexcept {
    HeapCore* const heap = heap_of_global(model);
    if (heap == nullptr) return;
    const std::lock_guard guard(heap->global_handles);
    if (model.next == nullptr) return;
    node.object = model.object;
    node.owner = reinterpret_cast<MutatorCore*>(heap);
    insert_after(const_cast<HandleNode&>(model), node);
}

void move_global(HandleNode& node, HandleNode& from) noexcept {
    copy_global(node, from);
    unlink_global(from);
}

void unlink_global(HandleNode& node) noexcept {
    HeapCore* const owner = heap_of_global(node);
    if (owner == nullptr) return;
    HeapCore& heap = *owner;
    const std::lock_guard guard(heap.global_handles);
    if (node.next != nullptr) {
        // Protocol P9, from any thread: what a collection may not have walked yet stays a root until the next poll.
        // (What a destructor drops of the dying is dropped.)
        const bool own = hot.mutator != nullptr && hot.mutator->heap == &heap && heap.is_dying != nullptr;
        const bool another =
            node.previous->object == node.object || node.next->object == node.object;  // in the same list
        if (heap.keep_dropped_globals && !another && !(own && heap.is_dying(heap, node.object)))
            leave_ghost(heap, node);
        take_out(node);
    }
    node = {};
}

namespace {

/// Protocol P12: once marking has ended, an object that is not marked is dead; before, what is read is shaded.
void* followed(HeapCore& heap, void* object) {
    schedule_point();
    if (heap.collection.mode == BarrierMode::settling && heap.collector->dying(object)) return nullptr;
    if (heap.collection.active()) shade(heap, object);
    return object;
}

}  // namespace

void* read_global(const HandleNode& node) noexcept {
    HeapCore* const owner = heap_of_global(node);
    if (owner == nullptr) return nullptr;
    HeapCore& heap = *owner;
    void* object = nullptr;
    {
        const std::lock_guard guard(heap.global_handles);
        object = node.object;
    }
    if (object == nullptr || hot.watch == 0 || hot.mutator->heap != &heap) return object;
    return followed(heap, object);
}

void* read_weak_slow(const HandleNode& node) noexcept {
    return node.object == nullptr ? nullptr : followed(*hot.mutator->heap, node.object);
}

void pin_object(void* object) noexcept { add_pins(object, 1); }

void unpin_object(void* object) noexcept { add_pins(object, -1); }

void look_at_handle(const HandleNode& node, const char* what) noexcept {
    if (node.owner == hot.mutator) return shade(*hot.mutator->heap, node.object);
    fail_with(
        "a Handle to {}, of type {}, is {} by another mutator than the one that made it: use a GlobalHandle between "
        "threads",
        node.object, type_name_at(node.object), what);
}

void drop_ghosts(HeapCore& heap, std::size_t least, std::size_t most) noexcept {
    const std::lock_guard guard(heap.global_handles);
    for (std::size_t i = std::clamp(heap.ghosts.size() / 8, least, most); i > 0 && !heap.ghosts.empty(); --i) {
        HandleNode& ghost = heap.ghosts.back();
        if (ghost.next != nullptr) take_out(ghost);  // else a collection has cleared it: it was weak
        heap.ghosts.pop(heap.chunks);
    }
}

std::uint64_t lose_handles(HeapCore& heap, HandleNode& sentinel, bool global) {
    std::uint64_t lost = 0;
    for_each_handle(sentinel, [&](HandleNode& node) {
        heap.pages.span_at(node.object).pins = 0;  // a Pin among them pins no more
        node.object = nullptr;
        node.next = node.previous = nullptr;
        if (global) disown(node);
        ++lost;
    });
    sentinel.next = sentinel.previous = &sentinel;
    return lost;
}

}  // namespace perfloc::detail
