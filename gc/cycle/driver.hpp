#pragma once

#include "gc/cycle/coroutine.hpp"
#include "gc/cycle/cycle.hpp"
#include "gc/memory/memory_service.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace perfloc::gc {

/// Who runs the collector's code: a thread of its own, or the mutator in slices, or both in turn (the mutator assists). The
/// code is one coroutine; whoever holds `running_` may resume it. The thread also keeps memory ahead of the program and gives
/// it back (MemoryService), between pieces of collecting.
class Driver {
public:
    /// With a thread where `wants_thread` and the system gives one.
    Driver(Cycle& cycle, bool wants_thread);
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    bool has_thread() const { return thread_.joinable(); }
    /// In a forked process there is no such thread, and what it held is held for ever: ends the process with a line that says so.
    void check_process() const;
    /// It is the collector's turn. Wakes the thread, which may call the system.
    void wake();
    /// Runs the collector's code here until the deadline, or until it is the mutator's turn. Where the thread is running it,
    /// that yields after its piece of work.
    void run_here(const Deadline& deadline);
    /// Without a thread, for tests: so many pieces of work, or until it is the mutator's turn.
    void step(unsigned breaths);
    /// While the result lives, the collector's code stands still between two pieces of work.
    std::unique_lock<std::mutex> hold();
    /// Waits until it is the mutator's turn, or until the deadline. Without a thread: runs it here.
    void wait(const Deadline& deadline);
    /// With a thread: the same in its stead, for a time so short that neither should sleep. False where it did not yield until then,
    /// because it does not have a core either, or is not there yet.
    bool assist(const Deadline& deadline);
    /// Without a thread: a piece of what the thread would do for memory. True when there is more.
    bool serve_memory();

private:
    void body();
    void thread_main();
    void collect_a_while();
    void breathe();
    void give_way();
    void resume_until(const Deadline& deadline);

    Cycle& cycle_;
    MemoryService memory_;
    Coroutine code_;
    std::mutex running_;
    std::atomic<bool> yield_{false};       ///< somebody else wants to run the code
    std::uint64_t deadline_ = UINT64_MAX;  ///< of whoever runs it
    unsigned breaths_ = 0;                 ///< not 0: so many pieces of work, whatever the deadline
    bool stopped_ = false;                 ///< guarded by running_: the code is to return

    std::mutex sleeping_;
    std::condition_variable turn_;
    bool stop_thread_ = false;
    unsigned forks_ = 0;  ///< between the first process and this one, when it was made
    std::thread thread_;
};

}  // namespace perfloc::gc
