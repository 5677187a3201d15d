#pragma once

#include "gc/compact/forwarding.hpp"
#include "runtime/heap_core.hpp"

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// The spans of one region that slide, in the order in which they were filled, and how full each is to be.
struct SlidePlan {
    SlidePlan(HeapCore& heap, Region& of)
        : region(&of), spans(heap.chunks), destinations(heap.chunks), tops(heap.chunks) {}

    Region* region;
    detail::List<std::uint32_t> spans;         ///< sources
    detail::List<std::uint32_t> destinations;  ///< the same spans, or fresh ones
    detail::List<std::uint64_t> tops;          ///< bytes in each destination that is used
    bool fresh = false;

    std::size_t used() const { return tops.size(); }
};

/// Computes new addresses for a region's sliding spans from the mark bits, 512 bytes at a time. Objects keep their order
/// and never reach beyond where they were, since a destination is left only when the next object does not fit, and spans
/// are filled in the order in which they are emptied.
class SlidePlanner {
public:
    SlidePlanner(HeapCore& heap, const MarkBitmap& marks, ForwardingTable& forwarding)
        : heap_(heap), marks_(marks), forwarding_(forwarding) {}

    void plan(SlidePlan& plan);

private:
    /// A place in a source from which on objects may go to another destination: no object straddles its start but for
    /// `tail` words.
    struct Cut {
        std::size_t mark_word;
        std::uint64_t tail;
        std::uint64_t to;  ///< where the first object from here would go
    };

    void next_destination(SlidePlan& plan);
    Cut find_cut(const Cut& safe, std::size_t span_end) const;

    HeapCore& heap_;
    const MarkBitmap& marks_;
    ForwardingTable& forwarding_;
    std::uint64_t to_ = 0;     // next free byte of the destination
    std::uint64_t start_ = 0;  // of the destination
    std::uint64_t limit_ = 0;
};

}  // namespace perfloc::gc
