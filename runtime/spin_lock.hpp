#pragma once

#include <sched.h>

#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace perfloc::detail {

/// For critical sections of about a microsecond between a mutator and the collector's thread: one exchange where nobody
/// waits. Who holds it calls nothing that sleeps, but for a mutator on its way to the limit.
class SpinLock {
public:
    SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    /// Acquire: sees all that was written before the unlock() that made it free.
    void lock() noexcept {
        if (held_.exchange(true, std::memory_order_acquire)) [[unlikely]]
            wait();
    }
    /// Release: pairs with the next lock().
    void unlock() noexcept { held_.store(false, std::memory_order_release); }

private:
    static constexpr int kSpins = 64;  // then the holder may have lost its processor

    [[gnu::noinline, gnu::cold]] void wait() noexcept {
        do {
            // Relaxed: only looks, so that the line stays shared until the lock seems free.
            for (int spin = 0; held_.load(std::memory_order_relaxed); ++spin) {
                if (spin < kSpins) {
                    pause();
                } else {
                    ::sched_yield();
                }
            }
        } while (held_.exchange(true, std::memory_order_acquire));
    }
    static void pause() noexcept {
#if defined(__x86_64__)
        _mm_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    std::atomic<bool> held_{false};
};

}  // namespace perfloc::detail
