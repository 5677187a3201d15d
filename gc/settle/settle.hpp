#pragma once

#include "gc/roots.hpp"

namespace perfloc::gc {

/// The last phase of a scope's collection: each span of the ended region that has survivors is adopted in place by its
/// destination, or its survivors are evacuated there; slots and handles follow, references that now point inward are
/// recorded; what remains of the region has nothing alive in it. Marks are valid, and each marked span has a destination.
class Settlement {
public:
    Settlement(HeapCore& heap, MarkBitmap& marks, Region& ended) : heap_(heap), marks_(marks), ended_(ended) {}

    void run();

    std::uint64_t survived_bytes() const { return survived_bytes_; }
    std::uint64_t evacuated_bytes() const { return evacuated_bytes_; }  ///< of those that survived
    std::uint64_t survived_objects() const { return survived_objects_; }

private:
    void decide();
    void evacuate();
    void adopt(detail::SpanList& list);
    void adopt(std::uint32_t page);
    void fix_references();
    void fix_object(void* object, Header header);
    void fix_handles();
    void move_slots();
    void move_cleanups();

    HeapCore& heap_;
    MarkBitmap& marks_;
    Region& ended_;
    detail::List<std::uint32_t> adopted_{heap_.chunks};
    detail::List<std::uint32_t> evacuated_{heap_.chunks};
    detail::SpanLists holes_;
    std::uint64_t survived_bytes_ = 0;
    std::uint64_t evacuated_bytes_ = 0;
    std::uint64_t survived_objects_ = 0;
};

}  // namespace perfloc::gc
