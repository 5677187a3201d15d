#include "gc/collectors.hpp"
#include "gc/mark/mark_bitmap.hpp"
#include "gc/sweep/destructors.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/detached.hpp"
#include "runtime/handles.hpp"
#include "runtime/heap_core.hpp"
#include "runtime/mutators.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/heap.hpp>
#include <perfloc/mutator.hpp>

#include <fmt/core.h>

/// Composes a heap from the runtime and the collectors.
namespace perfloc {

using detail::Region;

namespace {

/// Of destructors whose objects were made by the last one's destructors, at the end of a heap.
constexpr int kMostRounds = 16;

/// The mutator's scope: the innermost one where it is this thread's; another thread's hot words are not to be read.
const Region& innermost_known(const detail::HeapCore& heap) {
    const detail::MutatorCore& mutator = *heap.mutator();
    if (mutator.nominal_top != nullptr) return *mutator.nominal_top;
    if (detail::hot.mutator == &mutator) return detail::as_region(*detail::hot.region);
    return *mutator.outermost;
}

}  // namespace

Heap::Heap(const Options& options)
    : core_(std::make_unique<detail::HeapCore>(options)), root_(std::make_unique<RootScope>(*core_->root)) {
    core_->collector = gc::make_collector(*core_);
}

Heap::~Heap() {
    detail::HeapCore& heap = *core_;
    PERFLOC_CHECK(heap.mutator() == nullptr, "a Heap is destroyed under an attached mutator (in scope \"{}\")",
                  detail::LabelTable::name(innermost_known(heap).label));
    PERFLOC_CHECK(heap.first_detached == nullptr, "a Heap is destroyed while detached scope \"{}\" is open",
                  detail::LabelTable::name(heap.first_detached->label));
    std::uint64_t lost = 0;
    const auto lose = [&] {
        detail::drop_all_ghosts(heap);
        for (detail::HandleNode* list : {&heap.root->handles, &heap.root->weak})
            lost += detail::lose_handles(heap, *list, false);
        const std::lock_guard guard(heap.global_handles);
        for (detail::HandleNode* list : {&heap.root->global, &heap.root->global_weak}) {
            lost += detail::lose_handles(heap, *list, true);
        }
    };
    lose();
    const detail::StandInMutator stand_in(heap);
    // The root's scope ends at last: all that is in it is dead, and all that destructors make there.
    gc::MarkBitmap marks(heap.memory);
    int round = 0;
    do {
        // What destructors make is in new spans, which are not condemned.
        detail::store_hot();
        detail::retire_cursors(heap, *heap.root);
        detail::load_hot(*heap.root);
        gc::condemn_spans(heap, marks, *heap.root);
        detail::List<void*> dead(heap.chunks);
        gc::take_dead(heap, marks, *heap.root, dead);
        gc::run_destructors(heap, dead);
        // As `Held` in gc/sweep/destructors.cpp has checked after each.
        PERFLOC_CHECK(detail::hot.region == heap.root, "internal: a destructor has left scope \"{}\" open",
                      detail::LabelTable::name(detail::hot.region->label));
        detail::store_hot();
        heap.collector->finish();  // of scopes that destructors have ended
        detail::load_hot(*heap.root);
        lose();  // those that destructors have made
    } while (!heap.root->cleanups.empty() && ++round < kMostRounds);
    PERFLOC_CHECK(heap.root->cleanups.empty(),
                  "the last destructors of a heap go on making objects with destructors, for {} rounds", kMostRounds);
    PERFLOC_CHECK(heap.first_detached == nullptr,
                  "a destructor leaves detached scope \"{}\" open while its heap is destroyed",
                  detail::LabelTable::name(heap.first_detached->label));
    if (lost != 0) {
        detail::report(
            fmt::format("{} {} outlived the heap; they read null from now on", lost, lost == 1 ? "handle" : "handles"));
    }
}

RootScope& Heap::root() noexcept { return *root_; }
const Options& Heap::options() const noexcept { return core_->options; }
void Heap::set_pauses(const PauseBudget& budget) {
    detail::check_pauses(budget);
    if (const detail::MutatorCore* const other = core_->mutator(); other != nullptr && other != detail::hot.mutator) {
        throw AttachError("perfloc: set_pauses() on a thread that is not the heap's mutator");
    }
    core_->options.pauses = budget;
    core_->collector->set_pauses();
}
Stats Heap::stats() const noexcept { return Stats(*core_); }

void Heap::add_listener(EventListener& listener) { core_->events.add(listener); }
void Heap::remove_listener(EventListener& listener) noexcept { core_->events.remove(listener); }

void Heap::collect_full() {
    detail::HeapCore& heap = *core_;
    const bool attached = detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap;
    if (!attached) {
        const detail::StandInMutator stand_in(heap);
        detail::store_hot();
        heap.collector->collect_full();
        detail::load_hot(*heap.root);
        return;
    }
    Region& current = *heap.current_region();
    detail::store_hot();
    heap.mutator()->bytes_at_last_poll = heap.totals.span_bytes;
    heap.collector->collect_full();
    detail::load_hot(current);
}

VerifyReport Heap::verify() const {
    if (core_->mutator() != nullptr && core_->mutator() != detail::hot.mutator) {
        throw AttachError("perfloc: verify() by a thread that is not the heap's mutator");
    }
    if (detail::hot.mutator != nullptr && detail::hot.mutator->heap == core_.get()) detail::store_hot();
    return core_->collector->verify();
}

Mutator::Mutator(Heap& heap) : core_(detail::attach(*heap.core_)) {}

detail::RegionHot* detail::begin_detached(Heap& heap, Label label) { return &open_detached(*heap.core_, label); }

}  // namespace perfloc
