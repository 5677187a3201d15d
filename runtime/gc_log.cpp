#include "runtime/gc_log.hpp"
#include "runtime/names.hpp"

#include "runtime/json_text.hpp"

#include <perfloc/errors.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace perfloc::detail {

namespace {

/// Three significant digits with a unit: 84.1 ms, 1.00 GiB, 71 ns.
template <std::size_t n>
std::string scaled(double value, double step, const char* const (&units)[n]) {
    std::size_t unit = 0;
    // What would read as a full step of the smaller unit is one of the larger.
    for (; unit + 1 < n && value >= step - 0.5; ++unit) value /= step;
    const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return fmt::format("{:.{}f} {}", value, digits, units[unit]);
}
std::string time(std::chrono::nanoseconds duration) {
    return scaled(static_cast<double>(duration.count()), 1000, {"ns", "us", "ms", "s"});
}
std::string size(Bytes bytes) { return scaled(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB"}); }

std::string hyphened(std::string_view name) {
    std::string text(name);
    std::replace(text.begin(), text.end(), ' ', '-');
    return text;
}

}  // namespace

LogModes LogModes::parse(std::string_view names) {
    LogModes modes;
    for_each_name(names, [&](std::string_view name) {
        if (name == "gc") {
            modes.gc = true;
        } else if (name == "json") {
            modes.json = true;
        } else {
            throw OptionError(fmt::format("perfloc: PERFLOC_LOG: \"{}\" is none of gc, json", name));
        }
    });
    return modes;
}

LogModes LogModes::from_environment() {
    const char* const names = std::getenv("PERFLOC_LOG");
    return names != nullptr ? parse(names) : LogModes{};
}

void GcLog::Cycle::leave_phase(Duration now) {
    if (!phases.empty()) phases[phase].second += now - phase_begun;
    phase_begun = now;
}

GcLog::Cycle* GcLog::find(std::uint64_t number) {
    const auto at =
        std::find_if(open_.rbegin(), open_.rend(), [number](const Cycle& c) { return c.begun.cycle == number; });
    return at == open_.rend() ? nullptr : &*at;
}

namespace {

/// Where memory for it is refused, a line is missing or says less.
template <class F>
void try_to(F&& f) noexcept {
    try {
        std::forward<F>(f)();
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

void GcLog::on_collection_begun(const CollectionBegunEvent& event) noexcept {
    try_to([&] { open_.emplace_back().begun = event; });
}

void GcLog::on_phase_entered(const PhaseEnteredEvent& event) noexcept {
    try_to([&] { enter_phase(event); });
}

void GcLog::enter_phase(const PhaseEnteredEvent& event) {
    Cycle* const cycle = find(event.cycle);
    if (cycle == nullptr) return;
    cycle->leave_phase(event.time);
    auto& phases = cycle->phases;
    const auto at = std::find_if(phases.begin(), phases.end(),
                                 [&](const auto& phase) { return std::string_view(phase.first) == event.name; });
    const auto phase = static_cast<std::size_t>(at - phases.begin());
    if (at == phases.end()) phases.emplace_back(event.name, Duration{});
    cycle->phase = phase;
}

void GcLog::on_slice_done(const SliceDoneEvent& event) noexcept {
    Cycle* const cycle = find(event.cycle);
    if (cycle == nullptr) return;
    cycle->slices += 1;
    cycle->overruns += event.overrun > Duration::zero();
    cycle->longest = std::max(cycle->longest, event.duration);
}

void GcLog::on_collection_ended(const CollectionEndedEvent& event) noexcept {
    Cycle* const cycle = find(event.cycle);
    if (cycle == nullptr) return;
    cycle->leave_phase(event.time);
    try_to([&] {
        std::string text;
        if (modes_.gc) text += line(*cycle, event);
        if (modes_.json) text += json(*cycle, event);
        std::fwrite(text.data(), 1, text.size(), out_);
        std::fflush(out_);
    });
    open_.erase(open_.begin() + (cycle - open_.data()));
}

std::string GcLog::line(const Cycle& cycle, const CollectionEndedEvent& event) {
    const CollectionBegunEvent& begun = cycle.begun;
    const CollectionResult& result = event.result;
    const bool promotes = begun.reason == CollectionReason::scope_end;
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "perfloc gc {} {} \"{}\" {} -> {} {}, {} freed", event.cycle, hyphened(to_string(begun.reason)),
                   begun.label, size(result.before_bytes), size(promotes ? result.promoted_bytes : result.live_bytes),
                   promotes ? "promoted" : "live", size(result.freed_bytes));
    const char* separator = "; ";
    for (const auto& [name, duration] : cycle.phases) {
        fmt::format_to(out, "{}{} {}", separator, name, time(duration));
        separator = ", ";
    }
    if (result.destructors != 0) fmt::format_to(out, "; {} destructors", result.destructors);
    if (cycle.slices != 0) {
        fmt::format_to(out, "; {} slices, max {}, {} overruns", cycle.slices, time(cycle.longest), cycle.overruns);
    }
    text += '\n';
    return text;
}

/// Fields are added, and never renamed or removed.
std::string GcLog::json(const Cycle& cycle, const CollectionEndedEvent& event) {
    const CollectionBegunEvent& begun = cycle.begun;
    const CollectionResult& result = event.result;
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "{{\"heap\":{},\"cycle\":{},\"reason\":\"{}\",\"label\":", event.heap, event.cycle,
                   hyphened(to_string(begun.reason)));
    append_json(text, begun.label);
    fmt::format_to(out, ",\"begun_ns\":{},\"duration_ns\":{},\"regions\":{}", begun.time.count(),
                   event.duration.count(), begun.regions);
    fmt::format_to(out, ",\"before_bytes\":{},\"freed_bytes\":{},\"promoted_bytes\":{},\"evacuated_bytes\":{}",
                   result.before_bytes, result.freed_bytes, result.promoted_bytes, result.evacuated_bytes);
    fmt::format_to(out, ",\"adopted_bytes\":{},\"live_bytes\":{},\"destructors\":{}", result.adopted_bytes,
                   result.live_bytes, result.destructors);
    fmt::format_to(out, ",\"slices\":{},\"max_slice_ns\":{},\"overruns\":{}", cycle.slices, cycle.longest.count(),
                   cycle.overruns);
    fmt::format_to(out, ",\"evacuation_ns_per_byte\":{:.3f},\"evacuation_ns_per_slot\":{:.3f}",
                   result.evacuation_ns_per_byte, result.evacuation_ns_per_slot);
    fmt::format_to(out, ",\"used_bytes\":{},\"committed_bytes\":{},\"phases_ns\":{{", event.used_bytes,
                   event.committed_bytes);
    const char* separator = "";
    for (const auto& [name, duration] : cycle.phases) {
        fmt::format_to(out, "{}\"{}\":{}", separator, name, duration.count());
        separator = ",";
    }
    text += "}}\n";
    return text;
}

}  // namespace perfloc::detail
