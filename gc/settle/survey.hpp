#pragma once

#include "gc/policy/scope_end_policy.hpp"
#include "gc/roots.hpp"

#include <array>
#include <chrono>

namespace perfloc::gc {

/// Whether so little of an ended scope survives that it can be promoted in the caller, however much was made there: a walk
/// from its roots that gives up as soon as that would not fit the budget. Moves and allocates nothing. What survives then is
/// all that the promotion touches, and the rest goes in O(1).
class Survey {
public:
    explicit Survey(HeapCore& heap) : heap_(heap) {}

    /// Before the roots are looked up: they are few enough. O(roots), up to that many.
    bool few_roots(const Region& ended, std::chrono::nanoseconds budget);
    /// The roots reach little.
    bool few_survivors(const Region& ended, const detail::List<Root>& roots, std::chrono::nanoseconds budget);

    const Survivors& found() const { return found_; }
    /// Nothing of it must stay where it is.
    bool movable() const { return movable_; }

private:
    static constexpr unsigned kMostObjectsBits = 9;
    static constexpr std::size_t kMostObjects = std::size_t{1} << kMostObjectsBits;

    void see(void* object);
    bool count(const void* object, Header header, std::chrono::nanoseconds budget);

    HeapCore& heap_;
    Survivors found_;
    // Written to from the start: the first pause is not to take their page faults.
    std::array<void*, kMostObjects> objects_{};   // in the order in which they were seen
    std::array<void*, 4 * kMostObjects> seen_{};  // a hash table with linear probing
    std::size_t number_ = 0;
    bool too_many_ = false;
    bool movable_ = true;
};

}  // namespace perfloc::gc
