#include "support/catch.hpp"

#include "death/child.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/units.hpp>

#include <set>
#include <string>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using namespace std::chrono_literals;

namespace {

struct Bench {
    HeapCore heap{{.reserve = 4_MiB, .limit = 2_MiB}};
    EventBus& events = heap.events;
};

/// Writes down what it hears, in short.
class Recorder : public EventListener {
public:
    void on_collection_begun(const CollectionBegunEvent& e) noexcept override {
        note(e, "begun " + std::string(to_string(e.reason)));
    }
    void on_phase_entered(const PhaseEnteredEvent& e) noexcept override { note(e, e.name); }
    void on_slice_done(const SliceDoneEvent& e) noexcept override {
        note(e, std::string(to_string(e.kind)));
        slices.push_back(e);
    }
    void on_paused(const PausedEvent& e) noexcept override {
        note(e, "pause " + std::string(to_string(e.pause.cause)));
        pauses.push_back(e);
    }
    void on_collection_ended(const CollectionEndedEvent& e) noexcept override {
        note(e, "ended");
        ended.push_back(e);
    }
    void on_memory(const MemoryEvent& e) noexcept override { note(e, "memory"); }

    std::vector<std::string> texts;
    std::vector<SliceDoneEvent> slices;
    std::vector<PausedEvent> pauses;
    std::vector<CollectionEndedEvent> ended;

private:
    void note(const Event& event, const std::string& text) {
        texts.push_back(std::to_string(event.cycle) + " " + text);
    }
};

using Texts = std::vector<std::string>;

void spin(std::chrono::nanoseconds duration) {
    const Stopwatch watch;
    while (watch.elapsed() < duration) {
    }
}

}  // namespace

TEST_CASE("events reach every listener in their order, and none that was removed") {
    Bench bench;
    Recorder first, second;
    CHECK_FALSE(bench.events.listening());
    bench.events.phase(1, "unheard");
    bench.events.add(first);
    bench.events.add(second);
    CHECK(bench.events.listening());
    CHECK(bench.events.collection_begun(CollectionReason::trim, "x", 1, 2) == 1);
    bench.events.phase(1, "mark");
    bench.events.remove(second);
    bench.events.slice(1, SliceKind::evacuate, bench.events.now(), {});
    bench.events.pause(PauseCause::stall, bench.events.now(), 0, 0, "x");
    bench.events.memory(MemoryEvent::Change::returned, 1, bench.events.now());
    bench.events.collection_ended(1, {});
    bench.events.remove(first);
    bench.events.remove(first);  // it is not there any more: nothing happens
    CHECK_FALSE(bench.events.listening());
    bench.events.memory(MemoryEvent::Change::returned, 1, bench.events.now());
    CHECK(first.texts == Texts{"1 begun trim", "1 mark", "1 evacuate", "1 pause stall", "1 memory", "1 ended"});
    CHECK(second.texts == Texts{"1 begun trim", "1 mark"});
}

TEST_CASE("cycles are counted whoever listens, and overlap") {
    Bench bench;
    Recorder recorder;
    bench.events.collection_begun(CollectionReason::trim, "unheard", 1, 2);
    bench.events.add(recorder);
    bench.events.phase(1, "of what nobody heard begin");
    bench.events.collection_ended(1, {});
    bench.events.collection_begun(CollectionReason::scope_end, "outer", 1, 2);
    bench.events.collection_begun(CollectionReason::scope_end, "inner", 1, 2);
    bench.events.phase(3, "a");
    bench.events.phase(2, "meanwhile");
    bench.events.slice(2, SliceKind::adopt, bench.events.now(), {});
    bench.events.pause(PauseCause::promotion, bench.events.now(), 0, 0, "x");
    bench.events.collection_ended(3, {});
    bench.events.phase(3, "late");
    bench.events.phase(2, "b");
    bench.events.collection_ended(2, {});
    bench.events.slice(2, SliceKind::adopt, bench.events.now(), {});
    bench.events.pause(PauseCause::promotion, bench.events.now(), 0, 0, "x");
    CHECK(recorder.texts == Texts{"2 begun scope end", "3 begun scope end", "3 a", "2 meanwhile", "2 adopt",
                                  "3 pause promotion", "3 ended", "2 b", "2 ended", "0 adopt", "0 pause promotion"});
    CHECK(recorder.ended[0].duration <= recorder.ended[1].duration);
}

TEST_CASE("a slice beyond its budget is counted by its cause, whether anyone listens or not") {
    Bench bench;
    Recorder recorder;
    const Stats stats(bench.heap);
    const auto slice = [&](SliceKind kind, std::chrono::nanoseconds budget) {
        const Moment start = bench.events.now();
        spin(20us);
        return bench.events.slice(1, kind, start, {.bytes = 3, .objects = 4}, budget);
    };
    CHECK(slice(SliceKind::adopt, 10us) >= 20us);
    slice(SliceKind::slots, 10us);
    slice(SliceKind::roots, 10s);
    bench.events.add(recorder);
    slice(SliceKind::evacuate, 10us);
    slice(SliceKind::evacuate, 10s);
    CHECK(stats.slice_overruns() == 3);
    CHECK(stats.slice_overruns(PauseCause::settling) == 2);
    CHECK(stats.slice_overruns(PauseCause::evacuation) == 1);
    CHECK(stats.slice_overruns(PauseCause::roots) == 0);
    REQUIRE(recorder.slices.size() == 2);
    CHECK(recorder.slices[0].overrun == recorder.slices[0].duration - 10us);
    CHECK(recorder.slices[0].bytes == 3);
    CHECK(recorder.slices[0].objects == 4);
    CHECK(recorder.slices[1].overrun == 0ns);
    CHECK_FALSE(recorder.slices[0].collector_thread);
}

TEST_CASE("a pause is told as it stands in the log, on the monotonic clock") {
    Bench bench;
    Recorder recorder;
    bench.events.pause(PauseCause::marking, bench.events.now(), 1, 2, "unheard");
    bench.events.add(recorder);
    const auto before = std::chrono::steady_clock::now().time_since_epoch();
    const Moment start = bench.events.now();
    spin(20us);
    const auto duration = bench.events.pause(PauseCause::roots, start, 10, 5, "heard", 7us);
    const auto after = std::chrono::steady_clock::now().time_since_epoch();
    bench.events.pause(PauseCause::roots, Moment{TickClock::now(), {}}, 0, 0, "begun before anyone listened");
    REQUIRE(recorder.pauses.size() == 2);
    const PausedEvent& event = recorder.pauses[0];
    CHECK(event.time >= before);
    CHECK(event.time + event.pause.duration <= after);
    CHECK(event.heap == bench.heap.number);
    const std::vector<PauseEvent> log = bench.heap.pauses.last();
    REQUIRE(log.size() == 3);
    CHECK(event.pause.number == 2);
    CHECK(event.pause.duration == duration);
    CHECK(log[1].duration == duration);
    CHECK(log[1].time_to_stop == 7us);
    CHECK(event.pause.time_to_stop == 7us);
    CHECK(event.pause.at == log[1].at);
    CHECK(event.pause.label == "heard");
    CHECK(recorder.pauses[1].time >= event.time);
}

TEST_CASE("a listener that adds or removes one during a call aborts") {
    struct Meddler : EventListener {
        explicit Meddler(EventBus& bus) : events(bus) {}
        void on_memory(const MemoryEvent& event) noexcept override {
            if (event.bytes == 1) {
                events.add(*this);
            } else {
                events.remove(*this);
            }
        }
        EventBus& events;
    };
    for (const Bytes bytes : {Bytes{1}, Bytes{2}}) {
        const death::Child child = death::run([bytes] {
            Bench bench;
            Meddler meddler(bench.events);
            bench.events.add(meddler);
            bench.events.memory(MemoryEvent::Change::returned, bytes, bench.events.now());
        });
        CHECK(child.died_saying({bytes == 1 ? "added" : "removed", "while a listener is called"}));
    }
}

TEST_CASE("a listener may use another heap, and aborts where it comes back to its own") {
    struct Passer : EventListener {
        explicit Passer(EventBus& bus) : events(bus) {}
        void on_memory(const MemoryEvent& event) noexcept override {
            if (++calls < 3) events.memory(event.change, event.bytes, events.now());
        }
        EventBus& events;
        int calls = 0;
    };
    Bench first, second;
    Passer to_second(second.events);
    Recorder heard;
    first.events.add(to_second);
    second.events.add(heard);
    first.events.memory(MemoryEvent::Change::returned, 1, first.events.now());
    CHECK(to_second.calls == 1);
    CHECK(heard.texts.size() == 1);
    const death::Child child = death::run([&] {
        Passer back(first.events);
        second.events.add(back);
        first.events.memory(MemoryEvent::Change::returned, 1, first.events.now());
    });
    CHECK(child.died_saying({"a listener uses the heap that it is called for"}));
    first.events.remove(to_second);
    second.events.remove(heard);
}

TEST_CASE("reasons and kinds have names of their own, and each kind of slice a cause") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kCollectionReasons; ++i) names.insert(to_string(static_cast<CollectionReason>(i)));
    CHECK(names.size() == kCollectionReasons);
    CHECK(names.count("?") == 0);
    CHECK(to_string(static_cast<CollectionReason>(200)) == "?");
    names.clear();
    for (std::size_t i = 0; i < kSliceKinds; ++i) names.insert(to_string(static_cast<SliceKind>(i)));
    CHECK(names.size() == kSliceKinds);
    CHECK(names.count("?") == 0);
    CHECK(to_string(static_cast<SliceKind>(200)) == "?");
    CHECK(cause_of(SliceKind::roots) == PauseCause::roots);
    CHECK(cause_of(SliceKind::weak) == PauseCause::weak_handles);
    CHECK(cause_of(SliceKind::destructors) == PauseCause::destructors);
    CHECK(cause_of(SliceKind::adopt) == PauseCause::settling);
    CHECK(cause_of(SliceKind::slots) == PauseCause::settling);
    CHECK(cause_of(SliceKind::evacuate) == PauseCause::evacuation);
    CHECK(cause_of(SliceKind::marking) == PauseCause::marking);
}
