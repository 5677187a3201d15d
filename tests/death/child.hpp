#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

extern "C" [[gnu::weak]] void __gcov_dump();  // there only in a build that counts lines

/// Code that ends its process, or that needs one of its own: run in a forked child.
namespace death {

struct Child {
    int status = 0;
    std::string err;  ///< what it wrote to its standard error stream

    bool aborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }
    int exit_code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

    std::vector<std::string> perfloc_lines() const {
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < err.size();) {
            const std::size_t end = std::min(err.find('\n', at), err.size());
            if (err.compare(at, 9, "perfloc: ") == 0) lines.push_back(err.substr(at, end - at));
            at = end + 1;
        }
        return lines;
    }
    /// One line beginning with "perfloc: ", which has each of the texts in it; the process ended by abort().
    bool died_saying(std::initializer_list<std::string_view> texts) const {
        const std::vector<std::string> lines = perfloc_lines();
        return aborted() && lines.size() == 1 && std::all_of(texts.begin(), texts.end(), [&](std::string_view text) {
                   return lines.front().find(text) != std::string::npos;
               });
    }
};

inline void count_lines() {
    if (__gcov_dump != nullptr) __gcov_dump();
}

inline void count_lines_and_abort(int) {
    count_lines();
    std::signal(SIGABRT, SIG_DFL);
    std::raise(SIGABRT);
}

/// Runs `body` in a child; its exit code is what `body` returns, 0 for nothing, 99 for an exception.
template <class Body>
Child run(Body&& body) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("no child");
    if (pid == 0) {
        ::close(ends[0]);
        ::dup2(ends[1], STDERR_FILENO);
        ::dup2(ends[1], STDOUT_FILENO);
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        std::signal(SIGABRT, __gcov_dump != nullptr ? count_lines_and_abort : SIG_DFL);
        for (const int signal : {SIGSEGV, SIGTERM, SIGILL, SIGFPE}) std::signal(signal, SIG_DFL);
        int code = 0;
        try {
            if constexpr (std::is_void_v<decltype(body())>) {
                body();
            } else {
                code = body();
            }
        } catch (const std::exception& error) {
            const std::string text = std::string("exception: ") + error.what() + "\n";
            [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
            code = 99;
        }
        count_lines();
        ::_exit(code);
    }
    ::close(ends[1]);
    Child child;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        child.err.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    while (::waitpid(pid, &child.status, 0) < 0 && errno == EINTR) {
    }
    return child;
}

}  // namespace death
