#pragma once

#include "gc/cycle/cycle.hpp"
#include "gc/policy/evacuation_policy.hpp"

#include <functional>

namespace perfloc::gc {

/// The collector's own phases, mark and sweep, as straight-line code. It looks at the memory of the set only, and writes
/// marks, the fields of Span that a collection owns, and what Cycle collects for the mutator.
class Background {
public:
    /// `breathe` is called after each small piece of work, and comes back when the code may go on. `wait` comes back when
    /// it is the collector's turn again.
    Background(Cycle& cycle, std::function<void()> breathe) : cycle_(cycle), breathe_(std::move(breathe)) {}

    /// From the phase mark to the phase after sweep. `wait_for_mutator` suspends until the phase is not agree any more.
    void collect(const std::function<void()>& wait_for_mutator);

private:
    /// Roots whose objects go to the same region.
    struct RootGroup {
        std::uint32_t destination;
        std::uint32_t depth;
        detail::ChunkList<CycleRoot> roots;
    };

    void prepare();
    template <class F>
    void each_root(const RootGroup& group, F&& f);
    void sort_roots();
    CycleRoot where_to(CycleRoot root) const;
    bool all_go_together() const;
    void count_live();
    template <class Marker>
    void drain(Marker& marker);
    template <class Marker>
    void visit_shade(Marker& marker, void* object);
    void sweep();
    void sweep_list(Region& region, detail::SpanList& list);
    void choose_fullness();
    MarkedSpan marked_span(const detail::Span& span) const;
    bool is_sparse(const Region& region, detail::Span& span);
    void list_slots();
    void list_span(SlotLister& lister, std::uint32_t page, const detail::Span& span, bool outward);
    bool is_marked_span(const void* address) const;
    bool may_point_inward(const void* target, std::uint32_t destination) const;

    struct Set {
        HeapCore& heap;
        const PageSet& pages;
        bool simple = false;  // nothing need be known of an object but that it is marked
        std::uint32_t destination = 0;
        bool contains(const void* target) const { return pages.contains(heap.pages.page_of(target)); }
        void marked(const void* object, std::size_t) {
            if (simple) return;
            detail::Span& span = heap.pages.span_at(object);
            if (span.destination == 0) span.destination = destination;
            ++heap.regions.at(heap.regions.find(heap.pages.region_at(object))).promoted_objects;
        }
    };

    Cycle& cycle_;
    std::function<void()> breathe_;
    detail::List<RootGroup> roots_{cycle_.heap.chunks};  // the outermost destination first
    Sparse sparse_;                                      // what is left to be evacuated
    bool fresh_too_ = false;  // also one that was not there when open scopes were collected last
    bool uniform_ = true;     // all survivors go to where their region's handles' objects go
};

}  // namespace perfloc::gc
