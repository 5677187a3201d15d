#include "runtime/check.hpp"

#include <unistd.h>

namespace perfloc::detail {

void report(const std::string& line) noexcept {
    // One write, so that lines of several threads do not mix; nothing can be done where it fails.
    const std::string whole = "perfloc: " + line + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, whole.data(), whole.size());
}

void fail(const std::string& line) noexcept {
    report(line);
    std::abort();
}

}  // namespace perfloc::detail
