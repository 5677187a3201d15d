#include "gc/settle/promote.hpp"

#include "gc/forward.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/remember.hpp"

#include <cstring>

namespace perfloc::gc {

using detail::header_of;

namespace {

constexpr std::size_t kRootsAhead = 8;  // whose objects are fetched

/// Most objects are a few words: a call would cost more than they do.
PERFLOC_INLINE void copy_words(char* to, const char* from, std::size_t bytes) {
    if (bytes > 128) {
        std::memcpy(to, from, bytes);
        return;
    }
    for (std::size_t i = 0; i < bytes; i += kWordBytes) std::memcpy(to + i, from + i, kWordBytes);
}

}  // namespace

/// Where an object of the ended region is now; copies it when it has not moved. A forwarded header holds the address.
PERFLOC_INLINE void* InlinePromotion::moved(void* object) {
    const Header header = header_of(object);
    if ((header & detail::kForwarded) != 0) return reinterpret_cast<void*>(header & ~Header{7});
    const std::size_t bytes = detail::object_bytes(header, detail::type_shapes());
    Region& to = *destination_;
    void* copy;
    if (static_cast<std::size_t>(to.limit - to.cursor) >= bytes) [[likely]] {
        copy = to.cursor + kHeaderBytes;
        to.cursor += bytes;
    } else {
        copy = detail::bump(heap_, to, bytes);
    }
    PERFLOC_CHECK(copy != nullptr, "internal: a promotion runs out of the room that it was promised");
    copy_words(static_cast<char*>(copy) - kHeaderBytes, static_cast<char*>(object) - kHeaderBytes, bytes);
    forward(object, copy);
    promoted_.bytes += bytes;
    promoted_.objects += 1;
    if (detail::type_shapes()[detail::header_type(header)].has_refs) stack_.push_back(copy);
    return copy;
}

/// References of a copy: into the ended region they follow; others may now point inward, from an object that moved
/// outward, and are recorded.
PERFLOC_INLINE void InlinePromotion::scan(void* copy) {
    detail::for_each_ref(copy, header_of(copy), detail::type_shapes(), [&](std::atomic<void*>& slot) {
        void* const target = slot.load(std::memory_order_relaxed);
        if (target != nullptr) follow(slot, target);
    });
}

void InlinePromotion::follow(std::atomic<void*>& slot, void* target) {
    const std::uint32_t region = heap_.pages.region_at(target);
    if (region == ended_.index) {
        slot.store(moved(target), std::memory_order_release);
    } else if (heap_.collection.active()) {  // protocol P8: what a collection looks at is recorded from anywhere
        detail::record_reference(heap_, slot, target);
    } else if (region != destination_->index &&
               !detail::key_encloses(heap_.regions.record(region).key, heap_.regions.record(*destination_).key)) {
        detail::record_reference(heap_, slot, target);
    }
}

Promoted InlinePromotion::run(const detail::List<Root>& roots) {
    for (std::size_t i = 0; i < roots.size(); ++i) {
        const Root& root = roots[i];
        if (i + kRootsAhead < roots.size()) __builtin_prefetch(roots[i + kRootsAhead].target(), 1, 3);
        destination_ = root.destination;
        void* const target = root.target();
        if (heap_.pages.region_at(target) != ended_.index) continue;  // a slot that was recorded twice
        void* const copy = moved(target);
        if (root.slot != nullptr) {
            root.slot->store(copy, std::memory_order_release);
            // Protocol P14: a slot in an ended scope may yet go further out than its target went.
            if (heap_.collection.active()) detail::record_reference(heap_, *root.slot, copy);
        } else if (root.handle != nullptr) {
            relink(*root.handle, copy, heap_.region_at(copy).handles);
        }
        while (!stack_.empty()) {
            void* const next = stack_.back();
            stack_.pop_back();
            scan(next);
        }
    }
    if ((ended_.attention & detail::kWeak) != 0) {
        follow_global_handles(heap_, ended_);
        settle_weak_handles();
    }
    return promoted_;
}

void InlinePromotion::settle_weak_handles() {
    for_each_weak(heap_, ended_, [&](HandleNode& node, bool global) {
        if (!is_forwarded(node.object)) return clear_weak(node, global);
        void* const copy = now_at(node.object);
        Region& region = heap_.region_at(copy);
        relink(node, copy, global ? region.global_weak : region.weak);
        region.attention |= detail::kWeak;
    });
}

}  // namespace perfloc::gc
