#include "gc/cycle/reap.hpp"

#include "gc/roots.hpp"
#include "gc/sweep/destructors.hpp"
#include "runtime/bump.hpp"
#include "runtime/condemned.hpp"

#include <mutex>

namespace perfloc::gc {

using detail::HandleNode;

namespace {

constexpr int kHandlesAtOnce = 32;

}  // namespace

void Reap::begin() { region_ = 0; }

bool Reap::clear(Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    for (; region_ < cycle_.set.size(); ++region_) {
        Region& region = *cycle_.set[region_];
        while (!clear_list(region, region.weak, region.walked, false, kHandlesAtOnce)) {
            if (deadline.passed_now()) return false;
        }
        for (bool all = false; !all;) {
            const std::lock_guard guard(heap.global_handles);
            all = clear_list(region, region.global_weak, region.walked_global, true, kHandlesAtOnce);
            if (!all && deadline.passed_now()) return false;
        }
        detail::splice_handles(region.weak, region.walked);
        const std::lock_guard guard(heap.global_handles);
        detail::splice_handles(region.global_weak, region.walked_global);
    }
    region_ = 0;
    return true;
}

/// True when the list is at its end.
bool Reap::clear_list(Region&, HandleNode& list, HandleNode& walked, bool global, int most) {
    HeapCore& heap = cycle_.heap;
    for (int i = 0; i < most && !list_empty(list); ++i) {
        HandleNode& node = *list.next;
        if (!detail::in_set(heap, node.object) || marked_word(cycle_.marks, heap.pages, node.object)) {
            if (detail::in_set(heap, node.object)) heap.pages.span_at(node.object).held = cycle_.number;
            detail::take_out(node);
            detail::insert_after(walked, node);
        } else {
            clear_weak(node, global);
        }
    }
    return list_empty(list);
}

bool Reap::has_cleanups() const {
    for (const Region* const region : cycle_.set) {
        if (!region->condemned_cleanups.empty()) return true;
    }
    return false;
}

bool Reap::destroy(Deadline& deadline) {
    for (; region_ < cycle_.set.size(); ++region_) {
        Region& region = *cycle_.set[region_];
        while (!region.condemned_cleanups.empty()) {
            destroy_some(region, deadline);
            if (deadline.passed_now()) return false;
        }
        // The living, oldest first again.
        while (!living_.empty()) {
            region.condemned_cleanups.push(cycle_.heap.chunks, living_.pop(cycle_.heap.chunks));
        }
    }
    region_ = 0;
    return true;
}

/// At most so many that looking at the clock after each destructor costs little.
void Reap::destroy_some(Region& region, Deadline& deadline) {
    HeapCore& heap = cycle_.heap;
    std::vector<void*> one(1);
    const bool attached = detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap;
    Region* const current = attached ? heap.current_region() : nullptr;
    if (attached) detail::load_hot(*current);
    while (!region.condemned_cleanups.empty() && !deadline.passed()) {
        void* const object = region.condemned_cleanups.pop(heap.chunks);
        if (marked_word(cycle_.marks, heap.pages, object)) {
            living_.push(heap.chunks, object);
            continue;
        }
        one.front() = object;
        run_destructors(heap, one);
        ++cycle_.totals.destructors;
        if (deadline.passed_now()) break;
    }
    if (attached) detail::store_hot();
}

}  // namespace perfloc::gc
