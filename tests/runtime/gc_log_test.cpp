#include "support/catch.hpp"

#include "gc/refuse_new.hpp"
#include "runtime/gc_log.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/units.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace perfloc;
using namespace perfloc::detail;
using namespace perfloc::literals;
using namespace std::chrono_literals;

namespace {

/// A stream into a string.
class Memory {
public:
    Memory() : file(::open_memstream(&text_, &size_)) {}
    ~Memory() {
        std::fclose(file);
        std::free(text_);
    }
    std::string text() const { return {text_, size_}; }

private:
    char* text_ = nullptr;
    std::size_t size_ = 0;

public:
    std::FILE* file;
};

template <class E>
E at(std::uint64_t cycle, std::chrono::nanoseconds time) {
    E event;
    event.cycle = cycle;
    event.time = time;
    event.heap = 1;
    return event;
}

void begin(GcLog& log, std::uint64_t cycle, std::chrono::nanoseconds time, CollectionReason reason,
           std::string_view label) {
    auto event = at<CollectionBegunEvent>(cycle, time);
    event.reason = reason;
    event.label = label;
    event.regions = 1;
    log.on_collection_begun(event);
}
void phase(GcLog& log, std::uint64_t cycle, std::chrono::nanoseconds time, const char* name) {
    auto event = at<PhaseEnteredEvent>(cycle, time);
    event.name = name;
    log.on_phase_entered(event);
}
void slice(GcLog& log, std::uint64_t cycle, std::chrono::nanoseconds duration, std::chrono::nanoseconds overrun) {
    auto event = at<SliceDoneEvent>(cycle, 0ns);
    event.duration = duration;
    event.overrun = overrun;
    log.on_slice_done(event);
}
void end(GcLog& log, std::uint64_t cycle, std::chrono::nanoseconds time, const CollectionResult& result) {
    auto event = at<CollectionEndedEvent>(cycle, time);
    event.result = result;
    event.duration = time;
    log.on_collection_ended(event);
}

/// A collection of a scope, in slices.
void example(GcLog& log, std::string_view label) {
    begin(log, 12, 1s, CollectionReason::scope_end, label);
    phase(log, 12, 1s, "mark");
    phase(log, 12, 1s + 80ms, "settle");
    phase(log, 12, 1s + 81ms, "mark");
    slice(log, 12, 71us, 0ns);
    slice(log, 12, 60us, 10us);
    end(log, 12, 1s + 85ms,
        {.before_bytes = 1_GiB,
         .freed_bytes = 990_MiB,
         .promoted_bytes = 10_MiB + 200_KiB,
         .destructors = 3,
         .evacuation_ns_per_byte = 1.5,
         .evacuation_ns_per_slot = 75});
}

}  // namespace

TEST_CASE("PERFLOC_LOG is parsed from names separated by commas") {
    CHECK_FALSE(LogModes::parse("").any());
    CHECK(LogModes::parse("gc").gc);
    CHECK_FALSE(LogModes::parse("gc").json);
    CHECK(LogModes::parse(",json,").json);
    CHECK(LogModes::parse("json,gc").gc);
    try {
        LogModes::parse("gc,jsn");
        FAIL("no error");
    } catch (const OptionError& error) {
        CHECK(std::string(error.what()) == "perfloc: PERFLOC_LOG: \"jsn\" is none of gc, json");
    }
}

TEST_CASE("the log tells a collection in a line") {
    Memory memory;
    GcLog log({.gc = true}, memory.file);
    example(log, "request");
    CHECK(memory.text() ==
          "perfloc gc 12 scope-end \"request\" 1.00 GiB -> 10.2 MiB promoted, 990 MiB freed; mark 84.0 ms, "
          "settle 1.00 ms; 3 destructors; 2 slices, max 71.0 us, 1 overruns\n");
}

TEST_CASE("a collection of the whole heap is told with what is alive") {
    Memory memory;
    GcLog log({.gc = true}, memory.file);
    begin(log, 1, 0ns, CollectionReason::soft_limit, "(heap)");
    end(log, 1, 5ns, {.before_bytes = 1023, .freed_bytes = 999, .live_bytes = 24});
    CHECK(memory.text() == "perfloc gc 1 soft-limit \"(heap)\" 1023 B -> 24 B live, 999 B freed\n");
}

TEST_CASE("the log tells a collection in a JSON object") {
    Memory memory;
    GcLog log({.json = true}, memory.file);
    example(log, "say \"x\"\n");
    const std::string text = memory.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    const nlohmann::json object = nlohmann::json::parse(text);
    CHECK(object.at("heap") == 1);
    CHECK(object.at("cycle") == 12);
    CHECK(object.at("reason") == "scope-end");
    CHECK(object.at("label") == "say \"x\"\n");
    CHECK(object.at("before_bytes") == 1_GiB);
    CHECK(object.at("freed_bytes") == 990_MiB);
    CHECK(object.at("promoted_bytes") == 10_MiB + 200_KiB);
    CHECK(object.at("destructors") == 3);
    CHECK(object.at("slices") == 2);
    CHECK(object.at("max_slice_ns") == 71'000);
    CHECK(object.at("evacuation_ns_per_byte") == 1.5);
    CHECK(object.at("evacuation_ns_per_slot") == 75);
    CHECK(object.at("overruns") == 1);
    CHECK(object.at("phases_ns") == nlohmann::json{{"mark", 84'000'000}, {"settle", 1'000'000}});
    for (const char* field : {"begun_ns", "duration_ns", "regions", "evacuated_bytes", "adopted_bytes", "live_bytes",
                              "used_bytes", "committed_bytes"}) {
        CHECK(object.at(field).is_number());
    }
}

TEST_CASE("collections that nest are told each at its end, and what nobody heard begin is not") {
    Memory memory;
    GcLog log({.gc = true}, memory.file);
    phase(log, 7, 0ns, "mark");
    slice(log, 7, 1ns, 0ns);
    end(log, 7, 1ns, {});
    begin(log, 8, 0ns, CollectionReason::scope_end, "outer");
    phase(log, 8, 0ns, "destroy");
    begin(log, 9, 10ns, CollectionReason::scope_end, "inner");
    phase(log, 9, 10ns, "mark");
    end(log, 9, 15ns, {});
    end(log, 8, 20ns, {});
    CHECK(memory.text() ==
          "perfloc gc 9 scope-end \"inner\" 0 B -> 0 B promoted, 0 B freed; mark 5 ns\n"
          "perfloc gc 8 scope-end \"outer\" 0 B -> 0 B promoted, 0 B freed; destroy 20 ns\n");
}

TEST_CASE("collections that overlap are told each, whichever ends first") {
    Memory memory;
    GcLog log(LogModes::parse("gc"), memory.file);
    begin(log, 1, 1s, CollectionReason::scope_end, "beside");
    begin(log, 2, 1s, CollectionReason::scope_end, "in the caller");
    slice(log, 1, 10us, 0ns);
    end(log, 1, 2s, {});
    end(log, 2, 3s, {});
    std::fflush(memory.file);
    const std::string text = memory.text();
    INFO(text);
    CHECK(text.find("gc 1 scope-end \"beside\"") < text.find("gc 2 scope-end \"in the caller\""));
    CHECK(text.find("gc 2 scope-end \"in the caller\"") != std::string::npos);
    CHECK(text.find("1 slices") < text.find("gc 2"));
}

TEST_CASE("where memory for a line is refused it is missing, and the next one is there") {
    Memory memory;
    GcLog log(LogModes::parse("gc"), memory.file);
    for (std::uint64_t from = 0; from < 20; ++from) {
        begin(log, 2 * from + 1, 1s, CollectionReason::scope_end, "a label that fits into no short string at all");
        {
            const support::RefuseNew refused(from);
            begin(log, 2 * from + 2, 1s, CollectionReason::scope_end, "another one");
            phase(log, 2 * from + 2, 1s, "mark");
            end(log, 2 * from + 2, 2s, {});
        }
        end(log, 2 * from + 1, 2s, {});
    }
    std::fflush(memory.file);
    for (std::uint64_t from = 0; from < 20; ++from) {
        CHECK(memory.text().find("gc " + std::to_string(2 * from + 1) + " ") != std::string::npos);
    }
}
