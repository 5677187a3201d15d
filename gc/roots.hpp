#pragma once

#include "gc/mark/marked_objects.hpp"
#include "runtime/handles.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/detail/handle_list.hpp>

#include <atomic>
#include <mutex>

namespace perfloc::gc {

using detail::HandleNode;
using detail::HeapCore;
using detail::Region;

/// What names an object of an ended scope from outside: a slot or a handle, and the scope that its object goes to.
struct Root {
    std::atomic<void*>* slot = nullptr;
    HandleNode* handle = nullptr;  ///< where it is no slot: but a global one may go at any time, in another thread
    Region* destination = nullptr;
    void* object = nullptr;  ///< a handle's, when it was found

    void* target() const { return slot != nullptr ? slot->load(std::memory_order_relaxed) : object; }
};

/// law [stale]: a recorded slot is used only after it is shown to be a Ref of a live object: its span is not in the pool,
/// its generation matches, in a span with dead objects among the living its word is marked, and so it is in what the running
/// collection looks at, once the destructors of the dead have run. The region that it is in, or null.
Region* live_owner(HeapCore& heap, const detail::IncomingSlot& slot);
inline bool slot_is_live(HeapCore& heap, const detail::IncomingSlot& slot) { return live_owner(heap, slot) != nullptr; }

/// Whether the owner of `slot` was among the first `parked_before` scopes that were parked, which is to say released before what the
/// slot refers to ended, and is parked for the sake of what had ended before (protocol P20). Then the slot names nothing, and is
/// cleared: it may be recorded for others that wait, for what it held before, and they must not find there what is gone.
inline bool forget_gone(const HeapCore& heap, std::atomic<void*>& slot, const Region& owner,
                        std::uint64_t parked_before) {
    const bool gone = owner.parked_at != 0 && owner.parked_at <= parked_before &&
                      heap.regions.state(owner) == detail::RegionState::parked;
    if (gone) slot.store(nullptr, std::memory_order_release);
    return gone;
}

/// The roots of an ended region, outermost destination first. A slot's destination is its own scope; a handle's is
/// `enclosing`; a global handle's is the root. Where two lineages refer to the region, everything goes to the root: further
/// out than necessary, never further in. law [remset].
void find_roots(HeapCore& heap, Region& ended, Region& enclosing, detail::List<Root>& roots);

/// The handles of all kinds to what is in the region, or `most` where there are more. O(most).
std::uint64_t count_handles(HeapCore& heap, const Region& region, std::uint64_t most);

/// The innermost scope that is open and encloses `region`, or is it.
Region& open_ancestor(HeapCore& heap, Region& region);

/// Calls f(node, global) on every weak handle into the region; f may relink it.
template <class F>
void for_each_weak(HeapCore& heap, Region& region, F&& f) {
    for_each_handle(region.weak, [&](HandleNode& node) { f(node, false); });
    const std::lock_guard guard(heap.global_handles);
    for_each_handle(region.global_weak, [&](HandleNode& node) { f(node, true); });
}

/// Clears a weak handle to a dead object.
inline void clear_weak(HandleNode& node, bool global) {
    detail::take_out(node);
    node.object = nullptr;
    node.next = node.previous = nullptr;
    if (global) detail::disown(node);
}

/// The global handles of an ended region follow their objects, which live: those that are there now, since other threads may
/// have dropped some meanwhile, and copied others.
void follow_global_handles(HeapCore& heap, Region& ended);

/// Links a node that was in the lists of another region to the region of its (new) object.
inline void relink(HandleNode& node, void* object, HandleNode& sentinel) {
    detail::take_out(node);
    node.object = object;
    detail::insert_after(sentinel, node);
}

}  // namespace perfloc::gc
