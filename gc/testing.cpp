#include <perfloc/testing.hpp>

#include "runtime/bump.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/errors.hpp>

/// Steps through a collection beside the program, for tests.
namespace perfloc::detail {

struct TestingAccess {
    static HeapCore& core(const Heap& heap) { return *heap.core_; }
};

}  // namespace perfloc::detail

namespace perfloc::testing {

namespace {

detail::HeapCore& steppable(const Heap& heap, const char* what) {
    detail::HeapCore& core = detail::TestingAccess::core(heap);
    if (core.options.collector_thread || !core.listens()) {
        throw OptionError(std::string("perfloc: testing::") + what +
                          "() is for a heap under the hinted collector that has no collector thread");
    }
    if (core.mutator() == nullptr || core.mutator() != detail::hot.mutator) {
        throw AttachError(std::string("perfloc: testing::") + what + "() on a thread that is not the heap's mutator");
    }
    return core;
}

/// With the mutator's words stored.
template <class F>
bool stored(detail::HeapCore& heap, F&& f) {
    detail::Region& current = *heap.current_region();
    detail::store_hot();
    const bool result = f(*heap.collector);
    detail::load_hot(current);
    return result;
}

}  // namespace

std::string_view phase(const Heap& heap) { return detail::TestingAccess::core(heap).collector->phase(); }

bool step_collector(Heap& heap, unsigned breaths) {
    // The collector looks at no word of the mutator's: nothing is stored, so that this may come in the middle of a step.
    detail::HeapCore& core = steppable(heap, "step_collector");
    return breaths != 0 && core.collector->step_collector(breaths);
}

bool slice(Heap& heap) {
    detail::HeapCore& core = steppable(heap, "slice");
    if (detail::hot.quiet != 0) return false;  // law [quiet]
    return stored(core, [](detail::CollectorInterface& collector) { return collector.step(false); });
}

bool run_to(Heap& heap, std::string_view wanted) {
    detail::HeapCore& core = steppable(heap, "run_to");
    if (detail::hot.quiet != 0) return phase(heap) == wanted;  // law [quiet]
    return stored(core, [&](detail::CollectorInterface& collector) {
        while (collector.phase() != wanted) {
            if (!collector.step(true) && !core.collection.active()) return collector.phase() == wanted;
        }
        return true;
    });
}

}  // namespace perfloc::testing
