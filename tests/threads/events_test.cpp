#include "support/catch.hpp"

#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <thread>

using namespace perfloc;
using namespace perfloc::detail;
using namespace std::chrono_literals;

namespace {

struct Bench {
    HeapCore heap{{.reserve = 4_MiB, .limit = 2_MiB}};
    EventBus& events = heap.events;
};

}  // namespace

TEST_CASE("threads: two tell of events at once, and calls do not overlap") {
    Bench bench;
    struct Counter : EventListener {
        void on_slice_done(const SliceDoneEvent& e) noexcept override {
            ++slices;  // a plain counter: ThreadSanitizer would see an overlap
            of_collector += e.collector_thread;
        }
        int slices = 0;
        int of_collector = 0;
    } counter;
    bench.events.add(counter);
    const auto tell = [&] {
        for (int i = 0; i < 10'000; ++i) bench.events.slice(SliceKind::marking, bench.events.now(), {}, 0ns);
    };
    std::thread collector([&] {
        EventBus::this_thread_collects();
        tell();
    });
    tell();
    collector.join();
    bench.events.remove(counter);
    CHECK(counter.slices == 20'000);
    CHECK(counter.of_collector == 10'000);
    CHECK(Stats(bench.heap).slice_overruns(PauseCause::marking) == 20'000);
}
