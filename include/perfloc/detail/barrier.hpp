#pragma once

#include <perfloc/detail/hot.hpp>

#include <atomic>

namespace perfloc::detail {

/// Records what a Ref's first value needs. The slow part of a constructor of Ref.
PERFLOC_API void initialise_slow(std::atomic<void*>& slot, void* target) noexcept;
/// The slow part of an assignment to a Ref: another page, null, or a time when every store must be looked at.
PERFLOC_API void store_slow(std::atomic<void*>& slot, void* target) noexcept;

/// Slot and target on the same page are in the same region. Nothing passes while `hot.watch` is all ones.
PERFLOC_INLINE bool plainly_local(const void* slot, const void* target) {
    return ((reinterpret_cast<std::uintptr_t>(slot) ^ reinterpret_cast<std::uintptr_t>(target)) | hot.watch) <
           kPageBytes;
}

/// The write barrier. Release: who reads the reference through a dependent address sees the object constructed.
PERFLOC_INLINE void store(std::atomic<void*>& slot, void* target) noexcept {
    if (plainly_local(&slot, target)) [[likely]] {
        slot.store(target, std::memory_order_release);
    } else {
        store_slow(slot, target);
    }
}

PERFLOC_INLINE void initialise(std::atomic<void*>& slot, void* target) noexcept {
    if (plainly_local(&slot, target)) [[likely]] {
        slot.store(target, std::memory_order_release);
    } else {
        initialise_slow(slot, target);
    }
}

}  // namespace perfloc::detail
