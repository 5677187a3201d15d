#pragma once

#include <functional>
#include <memory>

namespace perfloc::gc {

/// Straight-line code on a stack of its own, which may be suspended in the middle and resumed by any thread (one at a time):
/// a context of Boost.Context. Address- and ThreadSanitizer are told of each switch.
class Coroutine {
public:
    explicit Coroutine(std::function<void()> body);
    /// The body must have returned.
    ~Coroutine();
    Coroutine(const Coroutine&) = delete;
    Coroutine& operator=(const Coroutine&) = delete;

    /// Runs the body until it suspends itself or returns.
    void resume();
    /// Called by the body: comes back at the next resume().
    void suspend();
    bool finished() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace perfloc::gc
