#pragma once

#include "runtime/clock.hpp"
#include "runtime/heap_core.hpp"

#include <vector>

namespace perfloc::gc {

/// Names raw pointers that were kept over a poll (law [raw]): in debug builds, and under PERFLOC_STRESS=move. Before a
/// collection moves anything the mutator's stack is searched for words that are addresses of objects; afterwards, those
/// that still hold the same address, where no live object starts any more, look stale. Conservative: a dead slot of a
/// frame may be named too. At most three lines a heap. Each look walks the heap: but under PERFLOC_STRESS=move, so seldom
/// that it takes a twentieth of the program's time.
class StackWatch {
public:
    explicit StackWatch(detail::HeapCore& heap) : heap_(heap) {}

    void before();
    void after();

private:
    static constexpr unsigned kMostLines = 3;
    static constexpr int kShare = 20;

    detail::HeapCore& heap_;
    std::vector<void* const*> words_;
    std::vector<void*> values_;
    unsigned lines_ = 0;
    detail::Clock::duration cost_{};
    detail::Clock::time_point next_{};
};

}  // namespace perfloc::gc
