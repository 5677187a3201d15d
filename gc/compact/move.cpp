#include "gc/compact/move.hpp"

#include "gc/popcount_clones.hpp"

#include <cstring>

namespace perfloc::gc {

namespace {

PERFLOC_INLINE void update(void* object, Header header, const TypeShape* shapes, const ForwardingTable& forwarding) {
    detail::for_each_ref(object, header, shapes, [&](std::atomic<void*>& slot) __attribute__((always_inline)) {
        void* const target = slot.load(std::memory_order_relaxed);
        if (target != nullptr) slot.store(forwarding.object(target), std::memory_order_relaxed);
    });
}

}  // namespace

PERFLOC_POPCOUNT_CLONES void update_span(detail::HeapCore& heap, const MarkBitmap& marks,
                                         const ForwardingTable& forwarding, std::uint32_t page, const Span& span) {
    const TypeShape* const shapes = detail::type_shapes();
    const auto visit = [&](void* object, Header header, std::size_t)
                           __attribute__((always_inline)) { update(object, header, shapes, forwarding); };
    // A span that was handed out since marking began is all alive.
    if (span.condemned) {
        for_each_marked(marks, heap.pages, page, span, visit);
    } else {
        for_each_object(heap.pages, page, span, visit);
    }
}

PERFLOC_POPCOUNT_CLONES void move_span(detail::HeapCore& heap, const MarkBitmap& marks,
                                       const ForwardingTable& forwarding, std::uint32_t page, const Span& span) {
    const TypeShape* const shapes = detail::type_shapes();
    for_each_marked(marks, heap.pages, page, span,
                    [&](void* object, Header header, std::size_t bytes) __attribute__((always_inline)) {
                        update(object, header, shapes, forwarding);
                        char* const from = static_cast<char*>(object) - kHeaderBytes;
                        char* const to = forwarding.header(from);
                        if (to == from) return;
                        if (bytes > 128) {
                            std::memmove(to, from, bytes);
                        } else {  // to lower addresses, word by word: a call would cost more
                            for (std::size_t i = 0; i < bytes; i += kWordBytes) {
                                std::uint64_t word;
                                std::memcpy(&word, from + i, sizeof word);
                                std::memcpy(to + i, &word, sizeof word);
                            }
                        }
                    });
}

}  // namespace perfloc::gc
