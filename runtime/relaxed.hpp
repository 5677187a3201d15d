#pragma once

#include <atomic>

/// Words that one thread writes at a time and others may read meanwhile. Relaxed: each stands alone; what must be seen
/// together is handed over by a lock, or by an atomic word that says so.
namespace perfloc::detail {

template <class T>
inline T load_relaxed(const T& word) {
    return __atomic_load_n(&word, __ATOMIC_RELAXED);
}
template <class T>
inline void store_relaxed(T& word, T value) {
    __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}

/// A figure that is changed under a lock and read without it. A change is a load and a store: no locked instruction.
template <class T>
class Figure {
public:
    constexpr Figure(T value = 0) : value_(value) {}
    Figure(const Figure&) = delete;
    Figure& operator=(const Figure&) = delete;

    operator T() const { return value_.load(std::memory_order_relaxed); }
    void operator=(T value) { value_.store(value, std::memory_order_relaxed); }
    void operator+=(T value) { *this = static_cast<T>(*this + value); }
    void operator-=(T value) { *this = static_cast<T>(*this - value); }

private:
    std::atomic<T> value_;
};

}  // namespace perfloc::detail
