#include "property/crash.hpp"
#include "property/interpreter.hpp"
#include "property/program.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace rc {

template <>
struct Arbitrary<perfloc::property::Op> {
    static Gen<perfloc::property::Op> arbitrary() {
        using perfloc::property::Op;
        const Gen<std::uint8_t> operand = gen::resize(100, gen::arbitrary<std::uint8_t>());
        return gen::construct<Op>(gen::elementOf(perfloc::property::weighted_opcodes()), operand, operand, operand);
    }
};

void showValue(const std::vector<perfloc::property::Op>& ops, std::ostream& out) {
    out << perfloc::property::Program{{}, ops}.text();
}

}  // namespace rc

namespace perfloc::property {
namespace {

constexpr std::uint64_t kSeed = 20240607;
constexpr int kProgramsARound = 50;
constexpr std::chrono::seconds kShrinking{60};

bool from_environment(const char* name) { return std::getenv(name) != nullptr; }

std::string run_reported(const Program& program, Census& census) {
    if (from_environment("PERFLOC_PROPERTY_ISOLATE")) return run_isolated(program, census);
    const CrashReport report(program);
    return run(program, census);
}

/// One round of random programs in one setting. Through rapidcheck's own entry, which lets the caller choose the seed:
/// so each run of the tests runs the same programs, unless it asks for others. Empty, or what failed.
std::string round(const Setting& setting, std::uint64_t seed, Census& census) {
    rc::detail::TestParams params = rc::detail::configuration().testParams;
    params.seed = seed;
    params.maxSuccess = kProgramsARound;
    std::string first;  // of a collector thread: what fails once may not fail again while it is shrunk
    std::chrono::steady_clock::time_point shrunk_until;
    const auto property = [&] {
        if (!first.empty() && std::chrono::steady_clock::now() > shrunk_until) return;  // small enough
        const auto ops = *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<Op>>());
        const Program program{setting, ops};
        const std::string failure = run_reported(program, census);
        if (failure.empty()) return;
        const std::string report = fmt::format("{}\nPERFLOC_REPLAY=\"{}\"", failure, program.text());
        if (first.empty()) {
            first = report;
            shrunk_until = std::chrono::steady_clock::now() + kShrinking;
            std::cerr << "failed, and is being shrunk: " << report << std::endl;
        }
        RC_FAIL(report);
    };
    const rc::detail::TestMetadata metadata{"heap programs", Program{setting, {}}.text()};
    const rc::detail::TestResult result = rc::detail::checkTestable(property, metadata, params);
    if (result.is<rc::detail::SuccessResult>()) return {};
    std::ostringstream message;
    rc::detail::printResultMessage(result, message);
    return fmt::format("RC_PARAMS=\"seed={}\": {}\nfailed first as: {}", seed, message.str(), first);
}

/// Runs so many operations, in the settings in turn, or up to the first that fails: so that its report comes last.
Census run_programs(const std::vector<Setting>& settings, std::uint64_t ops) {
    if (const char* const more = std::getenv("PERFLOC_PROPERTY_OPS")) ops = std::strtoull(more, nullptr, 10);
    std::uint64_t seed = from_environment("RC_PARAMS") ? rc::detail::configuration().testParams.seed : kSeed;
    Census census;
    while (census.ops < ops) {
        for (const Setting& setting : settings) {
            const std::string failure = round(setting, seed++, census);
            if (!failure.empty()) FAIL(failure);
        }
    }
    return census;
}

/// Each kind of operation, and each of these events, has happened at least so often.
void require(const Census& census, std::uint64_t least_done, const std::map<Event, std::uint64_t>& least) {
    std::string figures = fmt::format("{} programs, {} operations\n", census.programs, census.ops);
    for (std::size_t i = 0; i < kOpcodes; ++i) {
        figures += fmt::format("  {:<24}{:>10}\n", name_of(static_cast<Opcode>(i)), census.done[i]);
    }
    for (std::size_t i = 0; i < kEvents; ++i)
        figures += fmt::format("  {:<24}{:>10}\n", kEventNames[i], census.events[i]);
    if (from_environment("PERFLOC_PROPERTY_FIGURES")) std::cout << figures;
    INFO(figures);
    for (std::size_t i = 0; i < kOpcodes; ++i) {
        INFO(name_of(static_cast<Opcode>(i)));
        CHECK(census.done[i] >= least_done);
    }
    for (const auto& [event, count] : least) {
        INFO(kEventNames[static_cast<std::size_t>(event)]);
        CHECK(census.of(event) >= count);
    }
}

using Budget = Setting::Budget;

/// Every other one has a low limit, another in each driver.
std::vector<Setting> hinted_settings() {
    struct Stress {
        bool move, condemn, verify;
    };
    std::vector<Setting> settings;
    bool small = false;
    for (const bool thread : {false, true}) {
        for (const Budget budget : {Budget::tiny, Budget::brief, Budget::usual, Budget::large}) {
            for (const Stress& stress :
                 {Stress{false, false, false}, Stress{false, false, true}, Stress{false, true, false},
                  Stress{false, true, true}, Stress{true, false, false}}) {
                settings.push_back(
                    {Collector::hinted, thread, stress.move, stress.condemn, stress.verify, small, budget});
                small = !small;
            }
        }
    }
    return settings;
}

/// Budgets, and collections beside the program, are for the ends of scopes, which other collectors do not listen to.
std::vector<Setting> settings_of(Collector collector) {
    std::vector<Setting> settings;
    for (const bool move : {false, true}) {
        for (const bool small : {false, true}) {
            settings.push_back({.collector = collector, .move = move, .small = small});
        }
    }
    return settings;
}

}  // namespace

TEST_CASE("a random heap program under the hinted collector does as its model says") {
    const Census census = run_programs(hinted_settings(), 55'000);
    require(census, 40,
            {{Event::released, 500},
             {Event::promoted_inline, 200},
             {Event::collected, 500},
             {Event::destructors_only, 100},
             {Event::kept, 100},
             {Event::adopted_at_limit, 5},
             {Event::unwound, 200},
             {Event::ended_early, 200},
             {Event::detached_in_order, 100},
             {Event::detached_out_of_order, 100},
             {Event::outermost, 500},
             {Event::poll_collected, 50},
             {Event::constructor_threw, 100},
             {Event::out_of_memory, 50},
             {Event::destroyed, 2000},
             {Event::locked, 100},
             {Event::expired, 5},
             {Event::condemned, 500},
             {Event::condemned_waiting, 100},
             {Event::condemned_in_set, 20},
             {Event::waiting_in_set, 20},
             {Event::frozen_early, 20},
             {Event::cycles, 500},
             {Event::pressure_cycles, 50},
             {Event::spans_adopted, 100},
             {Event::spans_evacuated, 50},
             {Event::hole_pages, 1000},
             {Event::few_survived, 40},
             {Event::allocation_slices, 200},
             {Event::pending_destroyed, 50},
             {Event::rested, 50},
             {Event::adopted_meanwhile, 5}});
}

TEST_CASE("a random heap program under the full collector does as its model says") {
    const Census census = run_programs(settings_of(Collector::full), 30'000);
    require(census, 25,
            {{Event::merged, 500},
             {Event::unwound, 100},
             {Event::detached_out_of_order, 50},
             {Event::poll_collected, 100},
             {Event::constructor_threw, 50},
             {Event::out_of_memory, 20},
             {Event::hole_pages, 100},
             {Event::destroyed, 1000}});
}

TEST_CASE("a random heap program under no collector does as its model says") {
    const Census census = run_programs(settings_of(Collector::none), 20'000);
    require(census, 10,
            {{Event::merged, 300},
             {Event::unwound, 50},
             {Event::constructor_threw, 30},
             {Event::out_of_memory, 20},
             {Event::destroyed, 500}});
}

TEST_CASE("the heap program of PERFLOC_REPLAY does as its model says") {
    const char* const text = std::getenv("PERFLOC_REPLAY");
    if (text == nullptr) return;
    Census census;
    const Program program = Program::parse(text);
    const std::string failure = run_reported(program, census);
    INFO(program.text());
    CHECK(failure == "");
}

TEST_CASE("a heap program survives its text") {
    rc::detail::TestParams params;
    params.seed = kSeed;
    const auto property = [] {
        const auto bytes = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
        const Program program = Program::decode(bytes);
        const Program again = Program::parse(program.text());
        RC_ASSERT(again.setting == program.setting);
        RC_ASSERT(again.ops == program.ops);
    };
    CHECK(rc::detail::checkTestable(property, rc::detail::TestMetadata{}, params).is<rc::detail::SuccessResult>());
}

}  // namespace perfloc::property
