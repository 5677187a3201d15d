#include "runtime/clock.hpp"

#include <mutex>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace perfloc::detail {

constinit TickClock::Scale TickClock::scale_{};

TickClock::Scale TickClock::measure() {
#if defined(__x86_64__)
    // CPUID 8000_0007h, EDX bit 8: the counter's rate depends neither on the core nor on its power state.
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(0x8000'0007u, &a, &b, &c, &d) == 0 || (d >> 8 & 1) == 0) return {};
    const auto start = Clock::now();
    const std::uint64_t first = __rdtsc();
    auto end = start;
    std::uint64_t last = first;
    while (end - start < std::chrono::microseconds(200)) {
        end = Clock::now();
        last = __rdtsc();
    }
    const auto ns = static_cast<double>(std::chrono::nanoseconds(end - start).count());
    return last > first ? Scale{ns / static_cast<double>(last - first), true} : Scale{};
#elif defined(__aarch64__)
    std::uint64_t frequency;
    asm("mrs %0, cntfrq_el0" : "=r"(frequency));
    return {1e9 / static_cast<double>(frequency), true};
#else
    return {};
#endif
}

void TickClock::calibrate() {
    static std::once_flag once;
    std::call_once(once, [] { scale_ = measure(); });
}

}  // namespace perfloc::detail
