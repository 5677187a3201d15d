#include "crash.hpp"

#include "interpreter.hpp"

#include <fmt/format.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace perfloc::property {

namespace {

constexpr std::array kSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

const std::string* running = nullptr;
std::array<struct sigaction, kSignals.size()> actions_before;

void write_out(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void report() {
    if (running == nullptr) return;
    write_out(
        "\nThis heap program crashes (PERFLOC_REPLAY=\"...\" runs it again, PERFLOC_PROPERTY_ISOLATE=1 shrinks it):\n");
    write_out(*running);
    write_out("\n");
    running = nullptr;
}

void restore_actions() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &actions_before[i], nullptr);
}

/// Reports, and then lets happen what would have happened.
void on_signal(int signal) {
    report();
    restore_actions();
    ::raise(signal);
}

}  // namespace

CrashReport::CrashReport(const Program& program) : CrashReport(program.text()) {}

CrashReport::CrashReport(std::string text) : text_(std::move(text)) {
    running = &text_;
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(report);
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &actions_before[i]);
}

CrashReport::~CrashReport() {
    running = nullptr;
    restore_actions();
}

std::string run_isolated(const Program& program, Census& census) {
    struct Shared {
        Census census;
        bool finished;
        std::array<char, 2000> failure;
    };
    void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    auto* const shared = ::new (memory) Shared{census, false, {}};
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        for (const int signal : kSignals) std::signal(signal, SIG_DFL);
        ::alarm(20);
        const std::string failure = run(program, shared->census);
        std::copy_n(failure.data(), std::min(failure.size(), shared->failure.size() - 1), shared->failure.data());
        shared->finished = true;
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    std::string failure = shared->failure.data();
    if (!shared->finished) {
        failure = WIFSIGNALED(status) ? fmt::format("crashes: {}", ::strsignal(WTERMSIG(status))) : "crashes";
    }
    census = shared->census;
    ::munmap(memory, sizeof(Shared));
    return failure;
}

}  // namespace perfloc::property
