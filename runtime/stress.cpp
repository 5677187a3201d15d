#include "runtime/stress.hpp"
#include "runtime/names.hpp"

#include <perfloc/errors.hpp>

#include <fmt/core.h>

#include <cstdlib>

namespace perfloc::detail {

Stress Stress::parse(std::string_view names) {
    Stress stress;
    for_each_name(names, [&](std::string_view name) {
        if (name == "verify") {
            stress.verify = true;
        } else if (name == "move") {
            stress.move = true;
        } else if (name == "poison") {
            stress.poison = true;
        } else if (name == "condemn") {
            stress.condemn = true;
        } else {
            throw OptionError(fmt::format("PERFLOC_STRESS: \"{}\" is none of verify, move, poison, condemn", name));
        }
    });
    return stress;
}

Stress Stress::from_environment() {
    const char* const names = std::getenv("PERFLOC_STRESS");
    return names != nullptr ? parse(names) : Stress{};
}

}  // namespace perfloc::detail
