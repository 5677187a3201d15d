#include "gc/cycle/driver.hpp"

#include "gc/cycle/background.hpp"

#include "runtime/check.hpp"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <exception>

namespace perfloc::gc {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds kCollectAtOnce = 5ms;

std::atomic<unsigned> forks{0};

void count_forks() {
    // Where it is refused, forks are not noticed.
    [[maybe_unused]] static const int refused = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });
}

/// Signals are the program's: its handlers do not run on a thread that it does not know, and what it waits for by sigwait() does
/// not come there. Those that a fault of the thread's own raises are not blocked.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&all, fault);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_;
};

}  // namespace

Driver::Driver(Cycle& cycle, bool wants_thread) : cycle_(cycle), memory_(cycle.heap), code_([this] { body(); }) {
    if (wants_thread) {
        try {
            count_forks();
            forks_ = forks.load(std::memory_order_relaxed);
            const SignalsBlocked blocked;  // inherited
            thread_ = std::thread([this] { thread_main(); });
        } catch (const std::exception&) {
            // Refused, the thread or the memory for its state: the same code runs in slices of the mutator's time.
        }
    }
    cycle_.heap.options.collector_thread = has_thread();
}

void Driver::check_process() const {
    PERFLOC_CHECK(!has_thread() || forks.load(std::memory_order_relaxed) == forks_,
                  "a heap is used in a process forked since it was made, where its collector's thread is not: there, "
                  "exec or _exit come next, or heaps that are made there");
}

Driver::~Driver() {
    if (thread_.joinable()) {
        check_process();
        {
            const std::lock_guard guard(sleeping_);
            stop_thread_ = true;
        }
        turn_.notify_one();
        thread_.join();
    }
    stopped_ = true;
    code_.resume();
}

/// The collector, from the first collection to the last.
void Driver::body() {
    Background background(cycle_, [this] { breathe(); });
    while (!stopped_) {
        if (cycle_.phase.now() != CyclePhase::mark) {
            code_.suspend();
            continue;
        }
        background.collect([this] {
            while (cycle_.phase.now() == CyclePhase::agree) code_.suspend();
        });
    }
}

/// After each piece of work.
void Driver::breathe() {
    if (breaths_ != 0) {
        if (--breaths_ == 0) code_.suspend();
        return;
    }
    if (yield_.load(std::memory_order_relaxed) || (deadline_ != UINT64_MAX && detail::TickClock::now() >= deadline_)) {
        code_.suspend();
    }
}

void Driver::thread_main() {
    detail::EventBus::this_thread_collects();
    std::unique_lock lock(sleeping_);
    while (!stop_thread_) {
        lock.unlock();
        collect_a_while();
        const std::chrono::nanoseconds rest = memory_.work(detail::Clock::now());
        lock.lock();
        turn_.notify_all();
        if (!stop_thread_ && !is_collectors(cycle_.phase.now()) && rest.count() > 0) turn_.wait_for(lock, rest);
    }
}

/// As long as memory may be left alone.
void Driver::collect_a_while() {
    if (!is_collectors(cycle_.phase.now())) return;
    give_way();
    {
        const std::lock_guard guard(running_);
        deadline_ = detail::TickClock::now() + detail::TickClock::ticks(kCollectAtOnce);
        if (is_collectors(cycle_.phase.now())) code_.resume();
    }
    give_way();
}

/// As long as somebody else wants to run the code, or runs it for a while so short that it is no use to sleep.
void Driver::give_way() {
    while (yield_.load(std::memory_order_relaxed)) std::this_thread::yield();
}

void Driver::wake() {
    if (!has_thread()) return;
    check_process();
    {
        const std::lock_guard guard(sleeping_);
    }
    turn_.notify_all();
}

std::unique_lock<std::mutex> Driver::hold() {
    check_process();
    yield_.store(true, std::memory_order_relaxed);
    std::unique_lock held(running_);
    yield_.store(false, std::memory_order_relaxed);
    return held;
}

void Driver::run_here(const Deadline& deadline) {
    const auto held = hold();
    resume_until(deadline);
}

void Driver::resume_until(const Deadline& deadline) {
    deadline_ = deadline.ticks();
    do {  // a piece of work at least, however short the time is: law [progress]
        if (is_collectors(cycle_.phase.now())) code_.resume();
    } while (is_collectors(cycle_.phase.now()) && !deadline.passed_now());
}

void Driver::step(unsigned breaths) {
    const auto held = hold();
    breaths_ = breaths;
    if (is_collectors(cycle_.phase.now())) code_.resume();
    breaths_ = 0;
}

void Driver::wait(const Deadline& deadline) {
    if (!has_thread()) return run_here(deadline);
    check_process();
    std::unique_lock lock(sleeping_);
    while (is_collectors(cycle_.phase.now()) && !deadline.passed_now()) {
        turn_.wait_for(lock, std::min<std::chrono::nanoseconds>(deadline.left(), 1ms));
    }
}

bool Driver::assist(const Deadline& deadline) {
    check_process();
    // To sleep for the thread's piece of work takes longer than that does; and it finds no lock held, so that it need not be woken.
    yield_.store(true, std::memory_order_relaxed);
    std::unique_lock held(running_, std::try_to_lock);
    while (!held.owns_lock() && !deadline.passed_now()) {
        std::this_thread::yield();
        held.try_lock();
    }
    const bool assists = held.owns_lock() && is_collectors(cycle_.phase.now());
    if (assists) resume_until(deadline);
    if (held.owns_lock()) held.unlock();
    yield_.store(false, std::memory_order_relaxed);
    return assists;
}

bool Driver::serve_memory() { return !has_thread() && memory_.work(detail::Clock::now()).count() == 0; }

}  // namespace perfloc::gc
