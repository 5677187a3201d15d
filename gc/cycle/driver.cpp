#include "gc/cycle/driver.hpp"

#include "gc/cycle/background.hpp"

#include <chrono>
#include <system_error>

namespace perfloc::gc {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds kCollectAtOnce = 5ms;

}  // namespace

Driver::Driver(Cycle& cycle, bool wants_thread) : cycle_(cycle), memory_(cycle.heap), code_([this] { body(); }) {
    if (!wants_thread) return;
    try {
        thread_ = std::thread([this] { thread_main(); });
    } catch (const std::system_error&) {
        // Refused: the same code runs in slices of the mutator's time.
    }
}

Driver::~Driver() {
    if (thread_.joinable()) {
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
    {
        const std::lock_guard guard(sleeping_);
    }
    turn_.notify_all();
}

std::unique_lock<std::mutex> Driver::hold() {
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
    std::unique_lock lock(sleeping_);
    while (is_collectors(cycle_.phase.now()) && !deadline.passed_now()) {
        turn_.wait_for(lock, std::min<std::chrono::nanoseconds>(deadline.left(), 1ms));
    }
}

bool Driver::assist(const Deadline& deadline) {
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
