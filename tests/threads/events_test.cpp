#include "support/catch.hpp"

#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <thread>

using namespace perfloc;
using namespace perfloc::detail;
using namespace std::chrono_literals;

TEST_CASE("threads: two tell of events at once, and calls do not overlap") {
    HeapCore heap({.reserve = 4_MiB, .limit = 2_MiB});
    struct Counter : EventListener {
        void on_slice_done(const SliceDoneEvent& e) noexcept override {
            ++slices;  // a plain counter: ThreadSanitizer would see an overlap
            of_collector += e.collector_thread;
        }
        int slices = 0;
        int of_collector = 0;
    } counter;
    heap.events.add(counter);
    const auto tell = [&] {
        for (int i = 0; i < 10'000; ++i) heap.events.slice(1, SliceKind::marking, heap.events.now(), {}, 0ns);
    };
    std::thread collector([&] {
        EventBus::this_thread_collects();
        tell();
    });
    tell();
    collector.join();
    heap.events.remove(counter);
    CHECK(counter.slices == 20'000);
    CHECK(counter.of_collector == 10'000);
    CHECK(Stats(heap).slice_overruns(PauseCause::marking) == 20'000);
}
