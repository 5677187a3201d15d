#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/handles.hpp"
#include "runtime/mutators.hpp"
#include "runtime/scope_tree.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/mutator.hpp>

#include <fmt/core.h>

#include <atomic>
#include <memory>
#include <utility>

namespace perfloc::detail {

namespace {

/// What a thread without a mutator has: every fast path fails over to its slow path, which says so.
constinit RegionHot unattached{};

}  // namespace

constinit thread_local Hot hot __attribute__((tls_model("initial-exec"))) = {.region = &unattached};

namespace {

void set_hot(HeapCore& heap, MutatorCore& mutator) {
    load_hot(*mutator.outermost);
    hot.mutator = &mutator;
    hot.base = heap.pages.base();
    hot.reserved = heap.memory.bytes();
    hot.region_of_page = heap.pages.regions();
    hot.records = heap.regions.records();
    update_watch(heap);
}

/// Acquire: what the last mutator did is seen. False where there is one.
bool claim(HeapCore& heap, MutatorCore& mutator) {
    MutatorCore* none = nullptr;
    return heap.attached.compare_exchange_strong(none, &mutator, std::memory_order_acquire, std::memory_order_relaxed);
}
/// Release: pairs with the next claim().
void leave(HeapCore& heap) { heap.attached.store(nullptr, std::memory_order_release); }

/// Handles that outlive the calling mutator. Returns how many there were.
std::uint64_t lose_local_handles(HeapCore& heap) {
    std::uint64_t lost = 0;
    heap.for_each_open_region([&](Region& region) {
        lost += lose_handles(heap, region.handles, false);
        lost += lose_handles(heap, region.weak, false);
    });
    return lost;
}

void tell_lost(HeapCore& heap, std::uint64_t lost) {
    if (lost == 0) return;
    heap.totals.lost_handles += lost;
    report(fmt::format("{} {} outlived the mutator that made {}; they read null from now on", lost,
                       lost == 1 ? "handle" : "handles", lost == 1 ? "it" : "them"));
}

}  // namespace

StandInMutator::StandInMutator(HeapCore& heap) : heap_(heap), before_(hot) {
    core_.heap = &heap;
    core_.outermost = heap.root;
    if (!claim(heap, core_)) throw AttachError("perfloc: collect_full() by a thread that is not the heap's mutator");
    if (before_.mutator != nullptr) store_hot();
    set_hot(heap, core_);
    hot.quiet = 0;  // of the other heap
}

StandInMutator::~StandInMutator() {
    store_hot();
    tell_lost(heap_, lose_local_handles(heap_));  // those that destructors have made
    leave(heap_);
    hot = before_;
}

MutatorCore* attach(HeapCore& heap) {
    if (hot.mutator != nullptr) {
        throw AttachError(hot.mutator->heap == &heap
                              ? "perfloc: this thread is attached to the heap already"
                              : "perfloc: this thread is attached to another heap: one mutator a thread");
    }
    auto mutator = std::make_unique<MutatorCore>();
    if (!claim(heap, *mutator)) {
        throw AttachError("perfloc: the heap has a mutator: this version runs one at a time");
    }
    Region* outermost = nullptr;
    const Label label = "(mutator)";
    try {
        LabelCounters& counters = heap.labels.find(label);
        outermost = heap.regions.create(RegionTable::kOwnLineage + 1, heap.root);
        if (outermost == nullptr) throw OutOfMemory("perfloc: no room for a mutator's outermost scope");
        outermost->counters = &counters;
    } catch (...) {
        leave(heap);
        throw;
    }
    outermost->label = label;
    outermost->attention = kAlways;
    mutator->heap = &heap;
    mutator->outermost = outermost;
    mutator->thread = reinterpret_cast<std::uintptr_t>(&hot);
    mutator->bytes_at_last_poll = heap.totals.span_bytes;
    set_hot(heap, *mutator);
    return mutator.release();
}

void detach(MutatorCore* mutator) noexcept {
    HeapCore& heap = *mutator->heap;
    PERFLOC_CHECK(mutator == hot.mutator, "a Mutator is destroyed on another thread than its own");
    PERFLOC_CHECK(hot.region == mutator->outermost && mutator->nominal_top == nullptr,
                  "a Mutator is destroyed while scope \"{}\" is open",
                  LabelTable::name((mutator->nominal_top != nullptr ? mutator->nominal_top : hot.region)->label));
    PERFLOC_CHECK(mutator->no_pause == 0, "a Mutator is destroyed while a NoPause of it lives");
    PERFLOC_CHECK(hot.quiet == 0, "a Mutator is destroyed in a constructor or destructor of an object of its heap");
    for (const Region* region = heap.first_detached; region != nullptr; region = region->next_listed) {
        PERFLOC_CHECK(!region->entered, "a Mutator is destroyed while detached scope \"{}\" is entered",
                      LabelTable::name(region->label));
    }
    store_hot();
    heap.collector->finish();
    std::uint64_t lost = lose_local_handles(heap);
    Region& outermost = *mutator->outermost;
    if (heap.listens()) {
        load_hot(*heap.root);
        end_region(heap, outermost, *heap.root);
        heap.collector->finish();
    } else {
        merge_region(heap, outermost, *heap.root);
        load_hot(*heap.root);
    }
    tell_lost(heap, lost + lose_local_handles(heap));  // also those that destructors have made
    leave(heap);
    delete mutator;
    hot = Hot{.region = &unattached};
}

HeapCore& current_heap(const char* what) {
    if (hot.mutator == nullptr) throw AttachError(fmt::format("perfloc: {} on a thread without a mutator", what));
    return *hot.mutator->heap;
}

void poll() {
    HeapCore& heap = current_heap("poll()");
    if (hot.quiet != 0 || hot.mutator->no_pause != 0) return;  // law [quiet]
    hot.mutator->bytes_at_last_poll = heap.totals.span_bytes;
#ifdef NDEBUG  // a debug build looks for undeclared references now and then
    const bool asked = heap.safepoint_due || heap.refused || heap.first_parked != nullptr;
    if (!asked && !heap.stress.any() && !heap.collection.active()) return;
#endif
    Region& current = *heap.current_region();
    store_hot();
    heap.collector->safepoint();
    load_hot(current);
}

namespace {

/// The collector runs at a safepoint, with the mutator's words stored.
template <class F>
void at_safepoint(HeapCore& heap, F&& f) {
    hot.mutator->bytes_at_last_poll = heap.totals.span_bytes;
    Region& current = *heap.current_region();
    store_hot();
    f(*heap.collector);
    load_hot(current);
}

}  // namespace

void idle_until(std::chrono::steady_clock::time_point until) {
    HeapCore& heap = current_heap("idle_until()");
    poll();
    if (hot.quiet != 0 || hot.mutator->no_pause != 0) return;
    at_safepoint(heap, [&](CollectorInterface& collector) { collector.collect_until(until); });
}

bool collect_until(std::chrono::steady_clock::time_point until) {
    HeapCore& heap = current_heap("collect_until()");
    poll();
    if (hot.quiet != 0 || hot.mutator->no_pause != 0) return false;
    bool finished = false;
    at_safepoint(heap, [&](CollectorInterface& collector) { finished = collector.collect_until(until); });
    return finished;
}

namespace {

/// Of what its NoPauses were promised, what has not been used.
std::uint64_t left_of_promise(const MutatorCore& me) {
    const std::uint64_t used = me.heap->pool.used_bytes();
    return me.promised_bytes - std::min(me.promised_bytes, used - std::min(used, me.promised_at));
}

void promise(MutatorCore& me, std::uint64_t bytes) {
    me.heap->kept_resident.fetch_add(bytes - me.promised_bytes, std::memory_order_relaxed);
    me.promised_bytes = bytes;
    me.promised_at = me.heap->pool.used_bytes();
}

MutatorCore& current_mutator(const char* what) {
    current_heap(what);
    return *hot.mutator;
}

void begin_no_pause(MutatorCore& me, std::size_t bytes) {
    HeapCore& heap = *me.heap;
    if (bytes != 0) {
        const auto refused = [&] {
            throw OutOfMemory(fmt::format("perfloc: NoPause cannot be given {} bytes: {} committed of a limit of {}",
                                          bytes, heap.pool.committed_bytes(), heap.pool.limit_bytes()));
        };
        if (bytes > heap.pool.limit_bytes()) refused();
        const std::size_t all = bytes + left_of_promise(me);
        if (!heap.pool.has_room(all)) release_spares(heap);
        if (!heap.pool.has_room(all)) {
            if (hot.quiet == 0) {  // law [quiet]
                at_safepoint(heap, [](CollectorInterface& collector) { collector.relieve(); });
            }
            if (!heap.pool.has_room(all)) refused();
        }
        if (!heap.pool.prepare(all)) refused();
        promise(me, all);
    }
    ++me.no_pause;
}

void end_no_pause(MutatorCore* mutator, std::uint64_t outer) {
    PERFLOC_CHECK(hot.mutator == mutator && mutator->no_pause != 0,
                  "a NoPause ends on another thread than it began on, or under another mutator");
    // What was used meanwhile came out of its own promise first.
    promise(*mutator, --mutator->no_pause == 0 ? 0 : std::min(left_of_promise(*mutator), outer));
}

}  // namespace

}  // namespace perfloc::detail

namespace perfloc {

Mutator::~Mutator() { detail::detach(core_); }

NoPause::NoPause(Bytes bytes)
    : mutator_(&detail::current_mutator("NoPause")), outer_(detail::left_of_promise(*mutator_)) {
    detail::begin_no_pause(*mutator_, bytes);
}
NoPause::~NoPause() { detail::end_no_pause(mutator_, outer_); }

}  // namespace perfloc
