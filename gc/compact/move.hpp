#pragma once

#include "gc/compact/forwarding.hpp"
#include "gc/mark/marked_objects.hpp"
#include "runtime/heap_core.hpp"

namespace perfloc::gc {

/// The references of all live objects of a span follow what they refer to.
void update_span(detail::HeapCore& heap, const MarkBitmap& marks, const ForwardingTable& forwarding, std::uint32_t page,
                 const Span& span);

/// The same, and the objects go to their new addresses. Spans are to come in the order in which they were planned.
void move_span(detail::HeapCore& heap, const MarkBitmap& marks, const ForwardingTable& forwarding, std::uint32_t page,
               const Span& span);

}  // namespace perfloc::gc
