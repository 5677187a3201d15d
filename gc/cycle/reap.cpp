#include "gc/cycle/reap.hpp"

#include "gc/roots.hpp"
#include "gc/sweep/destructors.hpp"
#include "runtime/bump.hpp"
#include "runtime/condemned.hpp"

#include <mutex>

namespace perfloc::gc {

using detail::HandleNode;

namespace {

constexpr std::uint64_t kElementsAtOnce = 64;  // of an array

}  // namespace

void Reap::begin() {
    region_ = 0;
    begun_ = restores_ = held_up_ = false;
}

bool Reap::clear(Deadline& deadline, bool may_clear) {
    HeapCore& heap = cycle_.heap;
    held_up_ = false;
    while (region_ < cycle_.set.size()) {
        Region& region = *cycle_.set[region_];
        if (!begun_) {  // handles made from here on are to the living
            detail::splice_handles(region.walked, region.weak);
            const std::lock_guard guard(heap.global_handles);
            detail::splice_handles(region.walked_global, region.global_weak);
            begun_ = true;
        }
        while (!clear_some(region.walked, region.weak, false, may_clear)) {
            if (held_up_ || deadline.passed_now()) return false;
        }
        for (bool all = false; !all;) {
            const std::lock_guard guard(heap.global_handles);
            all = clear_some(region.walked_global, region.global_weak, true, may_clear);
            if (!all && (held_up_ || deadline.passed_now())) return false;
        }
        ++region_;
        begun_ = false;
        if (deadline.passed()) return false;
    }
    region_ = 0;
    return true;
}

/// A few handles of `from`: those to the living go to `to`. True when none is left.
bool Reap::clear_some(HandleNode& from, HandleNode& to, bool global, bool may_clear) {
    HeapCore& heap = cycle_.heap;
    for (int i = 0; i < kHandlesAtOnce && !list_empty(from); ++i) {
        HandleNode& node = *from.next;
        const bool in_set = detail::in_set(heap, node.object);
        if (in_set && !marked_word(cycle_.marks, heap.pages, node.object)) {
            held_up_ = !may_clear;
            if (held_up_) return false;
            clear_weak(node, global);
            continue;
        }
        if (in_set) heap.pages.span_at(node.object).held = cycle_.number;
        detail::take_out(node);
        detail::insert_after(to, node);
    }
    return list_empty(from);
}

bool Reap::destroy(Deadline& deadline, bool may_destroy) {
    held_up_ = false;
    while (region_ < cycle_.set.size()) {
        Region& region = *cycle_.set[region_];
        while (!restores_ && !region.condemned_cleanups.empty()) {
            destroy_some(region, deadline, may_destroy);
            if (held_up_ || deadline.passed_now()) return false;
        }
        restores_ = true;
        // The living, oldest first again.
        while (!living_.empty()) {
            region.condemned_cleanups.push(cycle_.heap.chunks, living_.pop(cycle_.heap.chunks));
            if (deadline.passed()) return false;
        }
        restores_ = false;
        ++region_;
        if (deadline.passed()) return false;
    }
    region_ = 0;
    return true;
}

/// At most so many that looking at the clock after each destructor costs little.
void Reap::destroy_some(Region& region, Deadline& deadline, bool may_destroy) {
    HeapCore& heap = cycle_.heap;
    const bool attached = detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap;
    Region* const current = attached ? heap.current_region() : nullptr;
    if (attached) detail::load_hot(*current);
    while (!region.condemned_cleanups.empty() && !deadline.passed()) {
        void* const object = region.condemned_cleanups.back();
        const bool lives = marked_word(cycle_.marks, heap.pages, object);
        held_up_ = !lives && !may_destroy;
        if (held_up_) break;
        if (lives) {
            region.condemned_cleanups.pop(heap.chunks);
            living_.push(heap.chunks, object);
            continue;
        }
        if (run_some_destructors(heap, object, elements_, kElementsAtOnce)) {
            region.condemned_cleanups.pop(heap.chunks);
            elements_ = 0;
            ++cycle_.totals.destructors;
        }
        if (deadline.passed_now()) break;
    }
    if (attached) detail::store_hot();
}

}  // namespace perfloc::gc
