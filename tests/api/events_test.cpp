#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"
#include "death/child.hpp"
#include "gc/inspect.hpp"

#include <perfloc/events.hpp>
#include <perfloc/trace_events.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

using namespace perfloc;
using namespace perfloc::literals;
using namespace std::chrono_literals;
using nlohmann::json;
using objects::Mortal;
using objects::Node;

namespace {

/// Keeps all that it hears.
class Recorder : public EventListener {
public:
    void on_collection_begun(const CollectionBegunEvent& e) noexcept override { begun.push_back(e); }
    void on_phase_entered(const PhaseEnteredEvent& e) noexcept override { phases.push_back(e); }
    void on_slice_done(const SliceDoneEvent& e) noexcept override {
        slices.push_back(e);
        ended_before.push_back(ended.size());
    }
    void on_paused(const PausedEvent& e) noexcept override { pauses.push_back(e); }
    void on_collection_ended(const CollectionEndedEvent& e) noexcept override { ended.push_back(e); }
    void on_memory(const MemoryEvent& e) noexcept override { memory.push_back(e); }

    std::vector<CollectionBegunEvent> begun;
    std::vector<PhaseEnteredEvent> phases;
    std::vector<SliceDoneEvent> slices;
    std::vector<std::size_t> ended_before;  // each of these
    std::vector<PausedEvent> pauses;
    std::vector<CollectionEndedEvent> ended;
    std::vector<MemoryEvent> memory;
};

struct Bench {
    explicit Bench(Options options = objects::small()) : heap(options), me(heap) {}
    Heap heap;
    Mutator me;
};

/// Ends a scope in its destructor.
struct Nester {
    int objects = 0;
    Handle<Node>* keep = nullptr;
    ~Nester() {
        std::vector<int> log;
        Scope scope{"nested"};
        make_raw<Mortal>(log, 1);
        *keep = make_raw<Node>();
    }
};

/// Scopes of all kinds: released, promoted, collected, with destructors that end scopes; and a full collection.
void work(Heap& heap) {
    Handle<Node> kept;
    std::vector<int> log;
    for (int i = 0; i < 20; ++i) {
        {
            Scope scope{"released"};
        }
        {
            Scope scope{"promoted"};
            kept = objects::chain(20);
        }
        {
            Scope scope{"collected"};
            make_raw<Mortal>(log, i);
            make_raw_with<Nester>([&] { return Nester{0, &kept}; });
            kept = objects::chain(2000);
        }
    }
    heap.collect_full();
}

/// The fields that the format asks of an event; and that a number of nanoseconds came through.
void check_fields(const json& event) {
    REQUIRE(event.at("ph").is_string());
    REQUIRE(event.at("name").is_string());
    REQUIRE(event.at("ts").is_number());
    REQUIRE(event.at("pid") == ::getpid());
    REQUIRE(event.at("tid").is_number_unsigned());
    const std::string ph = event.at("ph");
    REQUIRE(std::set<std::string>{"M", "B", "E", "X", "C"}.count(ph) == 1);
    if (ph == "X") REQUIRE(event.at("dur").get<double>() >= 0);
    if (ph == "C" || ph == "M") REQUIRE(event.at("args").is_object());
}

std::int64_t ns(const json& microseconds) { return std::llround(microseconds.get<double>() * 1000); }

/// On each track begins and ends match by name, their times and those of counters ascend; complete events are written
/// when they end, and lie inside or beside each other.
void check_tracks(const json& events) {
    std::map<std::uint64_t, std::vector<std::string>> open;
    std::map<std::uint64_t, std::int64_t> last_instant, last_end;
    std::map<std::uint64_t, std::vector<std::pair<std::int64_t, std::int64_t>>> complete;
    for (const json& event : events) {
        check_fields(event);
        const std::string ph = event.at("ph"), name = event.at("name");
        const std::uint64_t tid = event.at("tid");
        if (ph == "M") continue;
        const std::int64_t time = ns(event.at("ts"));
        if (ph == "X") {
            const std::int64_t end = time + ns(event.at("dur"));
            REQUIRE(end >= last_end[tid]);
            last_end[tid] = end;
            complete[tid].emplace_back(time, end);
            continue;
        }
        REQUIRE(time >= last_instant[tid]);
        last_instant[tid] = time;
        if (ph == "B") open[tid].push_back(name);
        if (ph == "E") {
            REQUIRE_FALSE(open[tid].empty());
            REQUIRE(open[tid].back() == name);
            open[tid].pop_back();
        }
    }
    for (const auto& [tid, names] : open) CHECK(names.empty());
    for (auto& [tid, stretches] : complete) {
        std::sort(stretches.begin(), stretches.end(), [](const auto& a, const auto& b) {
            return std::tuple(a.first, -a.second) < std::tuple(b.first, -b.second);
        });
        std::vector<std::int64_t> ends;
        for (const auto& [begin, end] : stretches) {
            while (!ends.empty() && ends.back() <= begin) ends.pop_back();
            if (!ends.empty()) REQUIRE(end <= ends.back());
            ends.push_back(end);
        }
    }
}

/// Each pause of the log is in the trace, with its cause, duration and label.
void check_pauses(const json& events, const std::vector<PauseEvent>& log) {
    std::map<std::uint64_t, const json*> by_number;
    for (const json& event : events) {
        if (event.at("name").get<std::string>().rfind("pause: ", 0) == 0)
            by_number[event.at("args").at("number")] = &event;
    }
    REQUIRE(by_number.size() == log.size());
    for (const PauseEvent& pause : log) {
        REQUIRE(by_number.count(pause.number) == 1);
        const json& event = *by_number[pause.number];
        CHECK(event.at("name") == "pause: " + std::string(to_string(pause.cause)));
        CHECK(event.at("args").at("label") == pause.label);
        CHECK(event.at("args").at("looked_at_bytes") == pause.looked_at_bytes);
        CHECK(ns(event.at("dur")) == pause.duration.count());
    }
}

std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a listener hears of a scope's collection from its beginning to its end") {
    Bench bench;
    Recorder recorder;
    std::vector<int> log;
    bench.heap.add_listener(recorder);
    Handle<Node> kept;
    {
        Scope scope{"request"};
        make_raw<Mortal>(log, 1);
        kept = objects::chain(100);
    }
    REQUIRE(recorder.begun.size() == 1);
    REQUIRE(recorder.ended.size() == 1);
    const CollectionBegunEvent& begun = recorder.begun.front();
    CHECK(begun.reason == CollectionReason::scope_end);
    CHECK(begun.label == "request");
    CHECK(begun.regions == 1);
    CHECK(begun.cycle == 1);
    CHECK(begun.used_bytes >= begun.bytes);
    std::vector<std::string> phases;
    for (const PhaseEnteredEvent& event : recorder.phases) phases.emplace_back(event.name);
    CHECK(phases == std::vector<std::string>{"mark", "destroy", "settle"});
    const CollectionEndedEvent& ended = recorder.ended.front();
    CHECK(ended.cycle == 1);
    CHECK(ended.result.before_bytes == begun.bytes);
    CHECK(ended.result.promoted_bytes == 100 * 32);
    CHECK(ended.result.evacuated_bytes + ended.result.adopted_bytes == ended.result.promoted_bytes);
    CHECK(ended.result.freed_bytes == begun.bytes - 100 * 32);
    CHECK(ended.result.destructors == 1);
    CHECK(ended.time == begun.time + ended.duration);
    REQUIRE(recorder.pauses.size() == 1);
    CHECK(recorder.pauses.front().cycle == 1);
    CHECK(recorder.pauses.front().time <= begun.time);
    CHECK(recorder.pauses.front().pause.number == 1);
}

TEST_CASE("a listener that was removed hears nothing more") {
    Bench bench;
    Recorder recorder;
    bench.heap.add_listener(recorder);
    bench.heap.collect_full();
    bench.heap.remove_listener(recorder);
    bench.heap.collect_full();
    REQUIRE(recorder.begun.size() == 1);
    CHECK(recorder.ended.size() == 1);
    CHECK(recorder.begun.front().label == "(heap)");
}

TEST_CASE("a collection of the whole heap says why") {
    const auto reasons = [](Options options, bool on_demand, int nodes_a_poll = 1000) {
        Bench bench(options);
        Recorder recorder;
        bench.heap.add_listener(recorder);
        if (on_demand) {
            bench.heap.collect_full();
        } else {
            for (int i = 1; i <= 200'000; ++i) {
                make_raw<Node>();
                if (i % nodes_a_poll == 0) poll();
            }
        }
        bench.heap.remove_listener(recorder);
        std::set<CollectionReason> all;
        for (const CollectionBegunEvent& event : recorder.begun) all.insert(event.reason);
        return all;
    };
    using Reasons = std::set<CollectionReason>;
    CHECK(reasons(objects::small(), true) == Reasons{CollectionReason::on_demand});
    const Environment stress("PERFLOC_STRESS", "");
    const Environment collector("PERFLOC_COLLECTOR", "hinted");
    Options options = objects::small();
    options.soft_limit = 4_MiB;
    CHECK(reasons(options, false).count(CollectionReason::pressure) == 1);  // before the soft limit
    CHECK(reasons(options, false, 200'000) == Reasons{CollectionReason::soft_limit});
    const Environment baseline("PERFLOC_COLLECTOR", "full");
    options = objects::small(Collector::full);
    options.full_minimum = 1_MiB;
    CHECK(reasons(options, false) == Reasons{CollectionReason::baseline});
}

TEST_CASE("a scope that is released in O(1), or promoted, is no collection") {
    const Environment stress("PERFLOC_STRESS", "");
    Options options = objects::small();
    options.pauses.max = 10s;
    Bench bench(options);
    Recorder recorder;
    bench.heap.add_listener(recorder);
    Handle<Node> kept;
    {
        Scope scope{"released"};
    }
    {
        Scope scope{"promoted"};
        kept = objects::chain(3);
    }
    CHECK(recorder.begun.empty());
    REQUIRE(recorder.pauses.size() == 1);
    CHECK(recorder.pauses.front().cycle == 0);
    CHECK(recorder.pauses.front().pause.cause == PauseCause::promotion);
}

TEST_CASE("memory that is returned to the system is told") {
    const Environment stress("PERFLOC_STRESS", "");
    Bench bench({.reserve = 256_MiB, .limit = 16_MiB});
    Recorder recorder;
    bench.heap.add_listener(recorder);
    {
        Scope scope{"small ones"};
        for (int i = 0; i < 300'000; ++i) make_raw<Node>();
    }
    {
        Scope scope{"a large one"};
        make_raw_array<char>(12_MiB);
    }
    REQUIRE_FALSE(recorder.memory.empty());
    Bytes returned = 0;
    for (const MemoryEvent& event : recorder.memory) {
        CHECK(event.change == MemoryEvent::Change::returned);
        returned += event.bytes;
    }
    CHECK(returned > 0);
    CHECK(returned % 256_KiB == 0);
}

TEST_CASE("mutator utilisation and overruns are the heap's figures") {
    Bench bench;
    const Stats stats = bench.heap.stats();
    CHECK(stats.mmu(10ms) == 1.0);
    bench.heap.collect_full();
    const auto pause = stats.last_pauses().back();
    CHECK(pause.at > 0ns);
    CHECK(stats.mmu(pause.duration) == 0.0);
    CHECK(stats.mmu(pause.duration * 4) == Approx(0.75));
    CHECK(stats.slice_overruns() == 0);
}

TEST_CASE("a trace has the form that viewers read, nests, and shows every pause") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    Bench bench;
    bench.heap.add_listener(writer);
    work(bench.heap);
    bench.heap.remove_listener(writer);
    writer.close();
    CHECK(writer.ok());
    const json trace = json::parse(out.str());
    CHECK(trace.at("displayTimeUnit") == "ns");
    const json& events = trace.at("traceEvents");
    check_tracks(events);
    check_pauses(events, bench.heap.stats().last_pauses());
    std::set<std::string> metadata;
    bool counted = false;
    bool nested = false;
    for (const json& event : events) {
        if (event.at("ph") == "M") metadata.insert(event.at("name"));
        counted |= event.at("ph") == "C" && event.at("args").at("used") > 0;
        nested |= event.at("ph") == "B" && event.at("name") == "collection" && event.at("args").at("label") == "nested";
    }
    CHECK(metadata == std::set<std::string>{"process_name", "thread_name"});
    CHECK(counted);
    CHECK(nested);
}

TEST_CASE("one trace may show several heaps, each on its own tracks") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    for (int i = 0; i < 2; ++i) {
        Bench bench;
        bench.heap.add_listener(writer);
        work(bench.heap);
    }
    writer.close();
    const json trace = json::parse(out.str());
    check_tracks(trace.at("traceEvents"));
    std::set<std::string> tracks;
    for (const json& event : trace.at("traceEvents")) {
        if (event.at("name") == "thread_name") tracks.insert(event.at("args").at("name"));
    }
    CHECK(tracks.size() == 8);  // three a heap, and one of those that destructors begin
}

TEST_CASE("PERFLOC_TRACE makes a heap write a trace, prefaulting included") {
    const std::string path = "/tmp/perfloc-trace-" + std::to_string(::getpid());
    std::string file;
    {
        const Environment trace("PERFLOC_TRACE", "/tmp/perfloc-trace-%p.h%h.json");
        Options options = objects::small();
        options.prefault = 1_MiB;
        Bench bench(options);
        Recorder recorder;
        bench.heap.add_listener(recorder);
        work(bench.heap);
        REQUIRE_FALSE(recorder.begun.empty());
        file = path + ".h" + std::to_string(recorder.begun.front().heap) + ".json";
    }
    const json trace = json::parse(content(file));
    std::remove(file.c_str());
    check_tracks(trace.at("traceEvents"));
    std::set<std::string> names;
    for (const json& event : trace.at("traceEvents")) names.insert(event.at("name"));
    CHECK(names.count("memory prefaulted") == 1);
    CHECK(names.count("pause: full") == 1);
}

TEST_CASE("prefaulting tells of what was touched, which the limit bounds") {
    const Environment trace("PERFLOC_TRACE", "/tmp/perfloc-prefault-%p.%h.json");
    std::string path;
    {
        Options options = objects::small();
        options.limit = 1_MiB;
        options.prefault = 64_MiB;
        Heap heap(options);
        const Mutator me(heap);
        path = fmt::format("/tmp/perfloc-prefault-{}.{}.json", ::getpid(), inspect::core().number);
    }
    const json events = json::parse(content(path)).at("traceEvents");
    std::remove(path.c_str());
    Bytes touched = 0;
    for (const json& event : events) {
        if (event.at("name") == "memory prefaulted") touched += event.at("args").at("bytes").get<Bytes>();
    }
    CHECK(touched == 1_MiB);
}

TEST_CASE("PERFLOC_LOG makes a heap write lines to the standard error stream") {
    const death::Child child = death::run([] {
        const Environment log("PERFLOC_LOG", "gc,json");
        Bench bench;
        bench.heap.collect_full();
    });
    CHECK(child.exit_code() == 0);
    CHECK(child.err.rfind("perfloc gc 1 on-demand \"(heap)\" ", 0) == 0);
    std::istringstream lines(child.err);
    std::string line;
    std::getline(lines, line);
    std::getline(lines, line);
    CHECK(json::parse(line).at("reason") == "on-demand");
    const Environment log("PERFLOC_LOG", "everything");
    CHECK_THROWS_AS(Heap(objects::small()), OptionError);
}

TEST_CASE("slices are told of the collection that they are of, the last one before it ends, and count what they did") {
    Options options = objects::small();
    options.collector_thread = false;
    options.pauses = {.max = 20us, .utilization = 0.01};
    Heap heap(options);
    Mutator me(heap);
    Recorder recorder;
    heap.add_listener(recorder);
    Handle<Node> kept;
    std::vector<int> log;
    log.reserve(10'000);
    std::size_t beside = 0;
    for (int i = 0; i < 30; ++i) {
        {
            Scope scope{"large"};
            kept = objects::chain(2000);
            make_raw<Mortal>(log, i);
        }
        for (int polls = 0; polls < 20; ++polls) me.poll();
    }
    me.collect_until(std::chrono::steady_clock::now() + 1h);
    heap.remove_listener(recorder);
    std::map<std::uint64_t, std::size_t> end_of;  // its place among the ends
    for (std::size_t i = 0; i < recorder.ended.size(); ++i) end_of[recorder.ended[i].cycle] = i;
    std::map<std::uint64_t, Bytes> bytes_of;
    Bytes destroyed = 0;
    for (std::size_t i = 0; i < recorder.slices.size(); ++i) {
        const SliceDoneEvent& slice = recorder.slices[i];
        INFO("slice " << i << " of collection " << slice.cycle << ", " << to_string(slice.kind));
        CHECK(slice.bytes < 1_GiB);
        if (slice.cycle == 0) {
            CHECK(slice.bytes == 0);
            continue;
        }
        REQUIRE(end_of.count(slice.cycle) == 1);
        CHECK(end_of[slice.cycle] >= recorder.ended_before[i]);
        bytes_of[slice.cycle] += slice.bytes;
        destroyed += slice.objects;
    }
    for (const CollectionEndedEvent& end : recorder.ended) {
        if (bytes_of.count(end.cycle) == 0) continue;  // in the caller
        ++beside;
        CHECK(bytes_of[end.cycle] == end.result.adopted_bytes + end.result.evacuated_bytes);
    }
    CHECK(beside > 3);
    CHECK(destroyed <= 30);
}
