#include "runtime/own_listeners.hpp"

#include "runtime/gc_log.hpp"

#include <perfloc/errors.hpp>
#include <perfloc/trace_events.hpp>

#include <fmt/core.h>

#include <unistd.h>
#include <cstdlib>

namespace perfloc::detail {

std::string trace_path(std::string_view pattern, std::uint64_t heap) {
    std::string path;
    bool names_heap = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (next == 'p') {
            path += fmt::format("{}", ::getpid());
        } else if (next == 'h') {
            path += fmt::format("{}", heap);
            names_heap = true;
        } else {
            path += pattern[i];
            continue;
        }
        ++i;
    }
    if (!names_heap && heap != 1) path += fmt::format(".{}", heap);
    return path;
}

std::vector<std::unique_ptr<EventListener>> listeners_from_environment(std::uint64_t heap) {
    std::vector<std::unique_ptr<EventListener>> listeners;
    const LogModes modes = LogModes::from_environment();
    if (modes.any()) listeners.push_back(std::make_unique<GcLog>(modes));
    const char* const pattern = std::getenv("PERFLOC_TRACE");
    if (pattern == nullptr || *pattern == '\0') return listeners;
    try {
        listeners.push_back(std::make_unique<TraceEventWriter>(trace_path(pattern, heap)));
    } catch (const Error& error) {
        throw OptionError(fmt::format("{} (PERFLOC_TRACE)", error.what()));
    }
    return listeners;
}

}  // namespace perfloc::detail
