#pragma once

#include <perfloc/detail/hot.hpp>

/// How handles are linked. Every function leaves the node either in exactly one list or unlinked with a null object.
namespace perfloc::detail {

/// Links into the list of the region that `object` is in. Aborts where it is in no region of the mutator's heap.
PERFLOC_API void link_handle(HandleNode& node, void* object) noexcept;
PERFLOC_API void link_weak(HandleNode& node, void* object) noexcept;
PERFLOC_API void link_global(HandleNode& node, void* object, bool weak) noexcept;
PERFLOC_API void copy_global(HandleNode& node, const HandleNode& model) noexcept;
PERFLOC_API void move_global(HandleNode& node, HandleNode& from) noexcept;
PERFLOC_API void unlink_global(HandleNode& node) noexcept;
PERFLOC_API void* read_global(const HandleNode& node) noexcept;
PERFLOC_API void pin_object(void* object) noexcept;
PERFLOC_API void unpin_object(void* object) noexcept;
/// Aborts where the handle is another mutator's; else a collection gathers its roots, and is told (protocol P9).
PERFLOC_COLD PERFLOC_API void look_at_handle(const HandleNode& node, const char* what) noexcept;
/// What a weak handle refers to while a collection goes on: null where that has found its object dead (protocol P12).
PERFLOC_COLD PERFLOC_API void* read_weak_slow(const HandleNode& node) noexcept;

PERFLOC_INLINE void insert_after(HandleNode& place, HandleNode& node) noexcept {
    HandleNode* const next = place.next;
    node.previous = &place;
    node.next = next;
    place.next = &node;
    next->previous = &node;
}
PERFLOC_INLINE void take_out(HandleNode& node) noexcept {
    HandleNode* const next = node.next;
    HandleNode* const previous = node.previous;
    previous->next = next;
    next->previous = previous;
}

PERFLOC_INLINE void check_owner(const HandleNode& node, const char* what) noexcept {
    if (node.owner != hot.handle_owner) [[unlikely]]
        look_at_handle(node, what);
}

PERFLOC_INLINE void* read_weak(const HandleNode& node) noexcept {
    return hot.watch == 0 ? node.object : read_weak_slow(node);
}

/// A handle to an object that was just allocated in the current region: no look-up.
PERFLOC_INLINE void link_current(HandleNode& node, void* object) noexcept {
    node.object = object;
    node.owner = hot.mutator;
    insert_after(hot.region->handles, node);
}
/// Beside its model, which is in the right list: no look-up.
PERFLOC_INLINE void link_copy(HandleNode& node, const HandleNode& model) noexcept {
    if (model.next == nullptr) return;
    check_owner(model, "copied");
    node.object = model.object;
    node.owner = model.owner;
    insert_after(const_cast<HandleNode&>(model), node);
}
PERFLOC_INLINE void link_move(HandleNode& node, HandleNode& from) noexcept {
    if (from.next == nullptr) return;
    check_owner(from, "moved");
    node = from;
    node.previous->next = &node;
    node.next->previous = &node;
    from.next = nullptr;
    from.object = nullptr;
}
PERFLOC_INLINE void unlink(HandleNode& node) noexcept {
    if (node.next == nullptr) return;
    check_owner(node, "dropped");
    take_out(node);
    node.next = nullptr;
    node.object = nullptr;
}

}  // namespace perfloc::detail
