#include "options.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>

#include "clock.hpp"

namespace bench {

Options start(int argc, char** argv, const char* title, int default_rounds, std::initializer_list<ExtraOption> extra) {
    Options options;
    CLI::App app(title);
    app.add_flag("--quick", options.quick, "about ten times smaller, three rounds");
    app.add_flag("--cpu-time", use_cpu_time, "CPU time instead of wall time for totals, on a machine that others use");
    app.add_option("--rounds", options.rounds, fmt::format("interleaved rounds (default {})", default_rounds))
        ->check(CLI::Range(1, 1000));
    for (const ExtraOption& option : extra) {
        app.add_option(option.name, *option.value, option.help)->check(CLI::PositiveNumber)->capture_default_str();
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error));
    }
    if (options.rounds == 0) options.rounds = options.quick ? std::min(3, default_rounds) : default_rounds;
    fmt::print("== {} ==\n", title);
    options.noise = print_noise_floor();
    if (use_cpu_time) fmt::print("totals in CPU time\n");
    return options;
}

}  // namespace bench
