#include "property/crash.hpp"
#include "property/interpreter.hpp"
#include "property/program.hpp"
#include "schedule/scheduler.hpp"
#include "support/catch.hpp"

#include <perfloc/testing.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace perfloc::schedule {
namespace {

using property::Census;
using property::Event;
using property::Program;
using property::Setting;

/// All that a seed decides beside the schedule; PERFLOC_REPLAY gives another program, of which only the schedule changes.
Program program_of(std::uint64_t seed) {
    if (const char* const text = std::getenv("PERFLOC_REPLAY")) return Program::parse(text);
    Random random(seed ^ 0x5ced);
    Program program;
    constexpr Setting::Budget kBudgets[] = {Setting::Budget::usual, Setting::Budget::brief, Setting::Budget::tiny,
                                            Setting::Budget::tiny};
    program.setting.budget = kBudgets[random.below(4)];
    program.setting.condemn = random.below(2) == 0;
    program.setting.small = random.below(4) == 0;
    const auto& codes = property::weighted_opcodes();
    for (std::uint64_t n = 20 + random.below(120); n > 0; --n) {
        property::Op op{codes[random.below(codes.size())]};
        const std::uint64_t operands = random.next();
        op.a = static_cast<std::uint8_t>(operands);
        op.b = static_cast<std::uint8_t>(operands >> 8);
        op.c = static_cast<std::uint8_t>(operands >> 16);
        program.ops.push_back(op);
    }
    return program;
}

std::string run_seed(std::uint64_t seed, Census& census, Scheduler::Counts& counts) {
    const Program program = program_of(seed);
    const property::CrashReport report(fmt::format("PERFLOC_SCHEDULE_SEED={}", seed));
    Scheduler scheduler(seed);
    const std::string failure = property::run(program, census);
    counts.points += scheduler.counts().points;
    counts.interruptions += scheduler.counts().interruptions;
    counts.slices += scheduler.counts().slices;
    counts.phase_changes += scheduler.counts().phase_changes;
    return failure;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("a heap program is as its model says, wherever the collector runs in it") {
    const std::uint64_t one = from_environment("PERFLOC_SCHEDULE_SEED", 0);
    const std::uint64_t first = one != 0 ? one : from_environment("PERFLOC_SCHEDULE_FROM", 1);
    const std::uint64_t seeds = one != 0 ? 1 : from_environment("PERFLOC_SCHEDULE_SEEDS", 300);
    Census census;
    Scheduler::Counts counts;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const std::string failure = run_seed(seed, census, counts);
        INFO("PERFLOC_SCHEDULE_SEED=" << seed << " PERFLOC_REPLAY=\"" << program_of(seed).text() << "\"");
        CHECK(failure == "");
    }
    const std::string figures = fmt::format(
        "{} operations, {} points, {} interruptions, {} slices, {} changes of phase, {} cycles, {} of open scopes",
        census.ops, counts.points, counts.interruptions, counts.slices, counts.phase_changes, census.of(Event::cycles),
        census.of(Event::pressure_cycles));
    INFO(figures);
    if (std::getenv("PERFLOC_SCHEDULE_FIGURES") != nullptr) WARN(figures);
    if (one != 0 || seeds < 300) return;
    CHECK(counts.interruptions >= 1000);
    CHECK(counts.phase_changes >= 2000);
    CHECK(census.of(Event::cycles) >= 300);
    CHECK(census.of(Event::pressure_cycles) >= 20);
}

TEST_CASE("a collection can be stepped from phase to phase") {
    Heap heap({.reserve = 64 << 20, .limit = 32 << 20, .collector = Collector::hinted, .collector_thread = false});
    Mutator me(heap);
    CHECK(testing::phase(heap) == "idle");
    CHECK_FALSE(testing::run_to(heap, "mark"));
    heap.root().trim();
    CHECK(testing::run_to(heap, "mark"));
    CHECK(testing::run_to(heap, "sweep"));
    CHECK(heap.verify().ok());
    CHECK(testing::run_to(heap, "idle"));
    CHECK(heap.verify().ok());
}

}  // namespace perfloc::schedule
