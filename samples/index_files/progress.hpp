// One line on standard error that says how far the work is; nothing at all unless that is a terminal.
#pragma once

#include <fmt/format.h>

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

namespace index_files {

class Progress {
public:
    Progress(std::string what, std::size_t total, bool wanted)
        : what_(std::move(what)), total_(total), shown_(wanted && ::isatty(STDERR_FILENO) != 0) {}
    ~Progress() {
        if (shown_) fmt::print(stderr, "\r\033[K");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// Looks at the clock once in 64 calls and draws ten times a second at most.
    void show(std::size_t done) {
        if (!shown_ || done % 64 != 0) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - drawn_ < std::chrono::milliseconds(100)) return;
        drawn_ = now;
        fmt::print(stderr, "\r\033[K{} {}/{}", what_, done, total_);
        std::fflush(stderr);
    }

private:
    std::string what_;
    std::size_t total_;
    bool shown_;
    std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace index_files
