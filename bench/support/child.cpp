#include "child.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <type_traits>

namespace bench {

static_assert(std::is_trivially_copyable_v<Sample>, "it crosses a pipe as bytes");

Sample run_in_child(const std::function<Sample()>& work, std::size_t peak) {
    int ends[2];
    if (pipe(ends) != 0) {
        std::perror("pipe");
        std::exit(1);
    }
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) {
        std::perror("fork");
        std::exit(1);
    }
    if (child == 0) {
        const Sample sample = work();
        const bool sent = write(ends[1], &sample, sizeof sample) == sizeof sample;
        std::fflush(nullptr);
        _exit(sent ? 0 : 1);
    }
    close(ends[1]);
    Sample sample;
    const bool received = read(ends[0], &sample, sizeof sample) == sizeof sample;
    close(ends[0]);
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    if (!received || status != 0) {
        fmt::print(stderr, "bench: a child failed (wait status {:#x})\n", status);
        std::exit(1);
    }
    sample.figures.at(peak) = static_cast<double>(usage.ru_maxrss) * 1024;
    return sample;
}

}  // namespace bench
