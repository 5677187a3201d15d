#include "support/catch.hpp"

#include "gc/refuse_new.hpp"

#include <perfloc/trace_events.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

using namespace perfloc;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

template <class E>
E at(std::uint64_t cycle, std::chrono::nanoseconds time) {
    E event;
    event.heap = 1;
    event.cycle = cycle;
    event.time = time;
    return event;
}

/// The events without metadata and counters, as "ph name".
std::vector<std::string> kinds(const json& trace) {
    std::vector<std::string> all;
    for (const json& event : trace.at("traceEvents")) {
        const std::string ph = event.at("ph");
        if (ph != "M" && ph != "C") all.push_back(ph + " " + event.at("name").get<std::string>());
    }
    return all;
}

using Kinds = std::vector<std::string>;

}  // namespace

TEST_CASE("a trace without events is valid") {
    std::ostringstream out;
    {
        const TraceEventWriter writer(out);
    }
    const json trace = json::parse(out.str());
    REQUIRE(trace.at("traceEvents").size() == 1);
    CHECK(trace.at("traceEvents")[0].at("name") == "process_name");
}

TEST_CASE("times are microseconds with all their digits") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    auto slice = at<SliceDoneEvent>(1, 123'456'789'012'007ns);
    slice.kind = SliceKind::slots;
    slice.duration = 1'050ns;
    slice.collector_thread = true;
    writer.on_slice_done(slice);
    writer.close();
    CHECK(out.str().find("\"ts\":123456789012.007,") != std::string::npos);
    CHECK(out.str().find("\"dur\":1.050,") != std::string::npos);
    CHECK(json::parse(out.str()).at("traceEvents").back().at("name") == "slots");
}

TEST_CASE("what is open when the trace is closed ends there, and what comes later is dropped") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    writer.on_phase_entered(at<PhaseEnteredEvent>(4, 1ns));  // of a collection whose beginning was not heard
    writer.on_collection_ended(at<CollectionEndedEvent>(4, 2ns));
    writer.on_collection_begun(at<CollectionBegunEvent>(5, 3ns));
    auto phase = at<PhaseEnteredEvent>(5, 4ns);
    phase.name = "mark";
    writer.on_phase_entered(phase);
    writer.on_collection_begun(at<CollectionBegunEvent>(6, 5ns));
    phase.cycle = 6;
    phase.name = "destroy";
    writer.on_phase_entered(phase);
    writer.close();
    const std::string text = out.str();
    writer.close();
    writer.flush();
    writer.on_collection_begun(at<CollectionBegunEvent>(7, 6ns));
    writer.on_phase_entered(phase);
    writer.on_slice_done({});
    writer.on_paused({});
    writer.on_memory({});
    writer.on_collection_ended({});
    CHECK(out.str() == text);
    CHECK(writer.ok());
    CHECK(kinds(json::parse(text)) == Kinds{"B collection", "B mark", "B collection", "B destroy", "E mark",
                                            "E collection", "E destroy", "E collection"});
}

TEST_CASE("collections that overlap are on tracks of their own, and each track nests") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    const auto phase = [&](std::uint64_t cycle, std::chrono::nanoseconds time, const char* name) {
        auto event = at<PhaseEnteredEvent>(cycle, time);
        event.name = name;
        writer.on_phase_entered(event);
    };
    writer.on_collection_begun(at<CollectionBegunEvent>(1, 1ns));
    phase(1, 2ns, "mark");
    writer.on_collection_begun(at<CollectionBegunEvent>(2, 3ns));
    phase(2, 4ns, "inner mark");
    phase(1, 5ns, "agree");  // by the collector's thread, in the middle of the other one
    writer.on_collection_ended(at<CollectionEndedEvent>(1, 6ns));
    phase(2, 7ns, "settle");
    writer.on_collection_begun(at<CollectionBegunEvent>(3, 8ns));
    writer.on_collection_ended(at<CollectionEndedEvent>(2, 9ns));
    writer.on_collection_ended(at<CollectionEndedEvent>(3, 10ns));
    writer.close();
    std::map<std::uint64_t, Kinds> tracks;
    const json trace = json::parse(out.str());
    for (const json& event : trace.at("traceEvents")) {
        const std::string ph = event.at("ph");
        if (ph == "B" || ph == "E") tracks[event.at("tid")].push_back(ph + " " + std::string(event.at("name")));
    }
    REQUIRE(tracks.size() == 2);
    CHECK(out.str().find("heap 1: collections meanwhile (2)") != std::string::npos);
    CHECK(tracks.begin()->second == Kinds{"B collection", "B mark", "E mark", "B agree", "E agree", "E collection",
                                          "B collection", "E collection"});
    CHECK(tracks.rbegin()->second ==
          Kinds{"B collection", "B inner mark", "E inner mark", "B settle", "E settle", "E collection"});
}

TEST_CASE("a stream that fails is noted, and a stream that throws does not throw through a listener") {
    for (const bool throws : {false, true}) {
        std::ostringstream out;
        TraceEventWriter writer(out);
        writer.flush();
        CHECK(writer.ok());
        CHECK_FALSE(out.str().empty());
        out.setstate(std::ios::badbit);
        if (throws) {
            try {
                out.exceptions(std::ios::badbit);
            } catch (const std::ios::failure&) {
            }
        }
        writer.on_memory(at<MemoryEvent>(0, 1ns));
        writer.flush();
        CHECK_FALSE(writer.ok());
    }
}

TEST_CASE("the buffer is written when it is full") {
    std::ostringstream out;
    TraceEventWriter writer(out);
    for (int i = 0; i < 2000; ++i) writer.on_memory(at<MemoryEvent>(0, std::chrono::nanoseconds(i)));
    CHECK(out.str().size() > 100'000);
    writer.close();
    CHECK(kinds(json::parse(out.str())).size() == 2000);
}

TEST_CASE("where memory for an event is refused the trace has failed, and is one without that event") {
    bool failed = false;
    for (std::uint64_t from = 0;; ++from) {
        std::ostringstream out;
        TraceEventWriter writer(out);
        writer.on_collection_begun(at<CollectionBegunEvent>(1, 1ns));
        std::uint64_t refused = 0;
        {
            auto begun = at<CollectionBegunEvent>(2, 2ns);
            begun.label = "a label that fits into no short string at all";
            auto phase = at<PhaseEnteredEvent>(2, 3ns);
            phase.name = "mark";
            const support::RefuseNew all(from);
            writer.on_collection_begun(begun);
            writer.on_phase_entered(phase);
            writer.on_collection_ended(at<CollectionEndedEvent>(2, 4ns));
            refused = all.refused();
        }
        writer.on_collection_ended(at<CollectionEndedEvent>(1, 5ns));
        const bool ok = writer.ok();
        writer.close();
        INFO("from call " << from);
        CHECK(ok == (refused == 0));
        const Kinds all = kinds(json::parse(out.str()));
        CHECK(std::count(all.begin(), all.end(), "B collection") == std::count(all.begin(), all.end(), "E collection"));
        CHECK(std::count(all.begin(), all.end(), "B mark") == std::count(all.begin(), all.end(), "E mark"));
        if (refused == 0) break;
        failed = true;
    }
    CHECK(failed);
}
