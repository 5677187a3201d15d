#pragma once

#include "gc/roots.hpp"

namespace perfloc::gc {

struct Promoted {
    std::uint64_t bytes = 0;
    std::uint64_t objects = 0;
};

/// Promotes a small ended scope in the caller: what the roots reach is copied into the regions that they name, outermost
/// first, and slots and handles follow. Copies depth first from an explicit stack, which the size of the scope bounds.
/// The pool must have room for all of the region, and nothing in it may be pinned or have a destructor. Weak handles to
/// the dead are cleared. Afterwards nothing outside names the region, and it may be released.
class InlinePromotion {
public:
    InlinePromotion(HeapCore& heap, Region& ended, detail::List<void*>& stack)
        : heap_(heap), ended_(ended), stack_(stack) {}

    Promoted run(const detail::List<Root>& roots);

private:
    void* moved(void* object);
    void scan(void* copy);
    void follow(std::atomic<void*>& slot, void* target);
    void settle_weak_handles();

    HeapCore& heap_;
    Region& ended_;
    detail::List<void*>& stack_;  // copies whose references are not looked at yet
    Region* destination_ = nullptr;
    Promoted promoted_;
};

}  // namespace perfloc::gc
