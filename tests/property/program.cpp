#include "program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <stdexcept>

namespace perfloc::property {

namespace {

constexpr std::array<std::string_view, kOpcodes> kNames = {
    "make",       "make_raw",      "make_in",   "build",       "chain",       "fill",        "link",         "unlink",
    "swap_links", "sort",          "take",      "hold",        "copy",        "move",        "drop",         "weaken",
    "copy_weak",  "lock",          "globalise", "copy_global", "lock_global", "drop_global", "pin",          "unpin",
    "open",       "close",         "keep",      "throw_out",   "detached",    "enter",       "end_detached", "poll",
    "collect",    "collect_until", "trim",      "set_pauses",  "no_pause",    "reattach",    "misuse"};
static_assert(kNames.back() == "misuse");

constexpr std::array<std::string_view, 3> kCollectors = {"hinted", "full", "none"};
constexpr std::array<std::string_view, Setting::kBudgets> kBudgets = {"tiny", "brief", "usual", "large"};

struct Flag {
    std::string_view name;
    bool Setting::* on;
};
constexpr std::array<Flag, 5> kFlags = {{{"thread", &Setting::thread},
                                         {"move", &Setting::move},
                                         {"condemn", &Setting::condemn},
                                         {"verify", &Setting::verify},
                                         {"small", &Setting::small}}};

/// The place of `word` in `words`, or their number.
template <std::size_t N>
std::size_t place_of(std::string_view word, const std::array<std::string_view, N>& words) {
    return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

/// Takes the next word off the text; empty at its end.
std::string_view next_word(std::string_view& text) {
    const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string_view word = text.substr(start, end - start);
    text.remove_prefix(end);
    return word;
}

std::invalid_argument no_program(std::string_view what) {
    return std::invalid_argument(fmt::format("no heap program: \"{}\"", what));
}

Op parse_op(std::string_view text) {
    const std::size_t code = place_of(next_word(text), kNames);
    if (code == kNames.size()) throw no_program(text);
    Op op{.code = static_cast<Opcode>(code)};
    for (std::uint8_t* operand : {&op.a, &op.b, &op.c}) {
        const std::string_view word = next_word(text);
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *operand);
        if (error != std::errc{} || end != word.data() + word.size()) throw no_program(word);
    }
    return op;
}

}  // namespace

PauseBudget pauses_of(Setting::Budget budget) {
    using namespace std::chrono_literals;
    // Nearly all of the time may be the collector's: programs are short, and their collections are to get on.
    switch (budget) {
        case Setting::Budget::tiny:
            return {.max = 1ns, .utilization = 0.01};
        case Setting::Budget::brief:  // most scopes are too large to be copied whole, and of some little survives
            return {.max = 3us, .utilization = 0.01};
        case Setting::Budget::usual:
            return {.utilization = 0.5};
        case Setting::Budget::large:
            return {.max = 1s, .utilization = 0.01};
    }
    return {};
}

std::string Setting::stress() const {
    std::string modes;
    if (move) modes += "move,poison,";
    if (condemn) modes += "condemn,";
    if (verify) modes += "verify,";
    return modes;
}

Options Setting::options() const {
    Options options;
    options.reserve = 64_MiB;
    options.limit = small ? 4_MiB : 48_MiB;
    options.collector = collector;
    options.full_minimum = 256_KiB;
    options.pauses = pauses_of(budget);
    options.collector_thread = thread;
    return options;
}

std::string Program::text() const {
    std::string text{kCollectors[static_cast<std::size_t>(setting.collector)]};
    for (const auto& [name, flag] : kFlags) {
        if (setting.*flag) text += fmt::format(" {}", name);
    }
    text += fmt::format(" {}:", kBudgets[static_cast<std::size_t>(setting.budget)]);
    const char* separator = " ";
    for (const Op& op : ops) {
        text += fmt::format("{}{} {} {} {}", separator, name_of(op.code), op.a, op.b, op.c);
        separator = "; ";
    }
    return text;
}

Program Program::parse(std::string_view text) {
    Program program;
    const std::size_t colon = text.find(':');
    if (colon == text.npos) throw no_program(text);
    std::string_view setting = text.substr(0, colon);
    for (std::string_view word = next_word(setting); !word.empty(); word = next_word(setting)) {
        if (const std::size_t i = place_of(word, kCollectors); i < kCollectors.size()) {
            program.setting.collector = static_cast<Collector>(i);
        } else if (const std::size_t j = place_of(word, kBudgets); j < kBudgets.size()) {
            program.setting.budget = static_cast<Setting::Budget>(j);
        } else if (const auto flag =
                       std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& f) { return f.name == word; });
                   flag != kFlags.end()) {
            program.setting.*flag->on = true;
        } else {
            throw no_program(word);
        }
    }
    text.remove_prefix(colon + 1);
    while (text.find_first_not_of(" ;") != text.npos) {
        const std::size_t end = std::min(text.find(';'), text.size());
        program.ops.push_back(parse_op(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return program;
}

Program Program::decode(std::span<const std::uint8_t> bytes) {
    Program program;
    if (bytes.size() < 2) return program;
    program.setting.collector = static_cast<Collector>(bytes[0] % 3);
    program.setting.budget = static_cast<Setting::Budget>(bytes[0] / 3 % Setting::kBudgets);
    for (std::size_t i = 0; i < kFlags.size(); ++i) program.setting.*kFlags[i].on = (bytes[1] >> i & 1) != 0;
    for (bytes = bytes.subspan(2); bytes.size() >= 4; bytes = bytes.subspan(4)) {
        program.ops.push_back({static_cast<Opcode>(bytes[0] % kOpcodes), bytes[1], bytes[2], bytes[3]});
    }
    return program;
}

const std::vector<Opcode>& weighted_opcodes() {
    static const std::map<Opcode, std::size_t> kWeights = {
        {Opcode::make, 12},     {Opcode::make_raw, 6}, {Opcode::make_in, 6},    {Opcode::build, 4},
        {Opcode::link, 14},     {Opcode::open, 12},    {Opcode::close, 10},     {Opcode::drop, 5},
        {Opcode::collect, 1},   {Opcode::reattach, 1}, {Opcode::keep, 1},       {Opcode::fill, 1},
        {Opcode::detached, 3},  {Opcode::weaken, 3},   {Opcode::lock, 3},       {Opcode::enter, 3},
        {Opcode::throw_out, 1}, {Opcode::pin, 1},      {Opcode::set_pauses, 1}, {Opcode::no_pause, 1}};
    static const std::vector<Opcode> kCodes = [] {
        std::vector<Opcode> codes;
        for (std::size_t i = 0; i < kOpcodes; ++i) {
            const auto code = static_cast<Opcode>(i);
            const auto weight = kWeights.find(code);
            codes.insert(codes.end(), weight != kWeights.end() ? weight->second : 2, code);
        }
        return codes;
    }();
    return kCodes;
}

std::string_view name_of(Opcode code) { return kNames[static_cast<std::size_t>(code)]; }

}  // namespace perfloc::property
