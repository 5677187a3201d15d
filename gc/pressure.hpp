#pragma once

#include "gc/cycle/cycle.hpp"
#include "gc/policy/pacer.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/events.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace perfloc::gc {

/// When open scopes are to be collected, which of them, and when the program outruns a collection: the numbers of the heap that
/// policy/pacer.hpp decides by.
class Pressure {
public:
    explicit Pressure(HeapCore& heap) : heap_(heap) { settle(0); }

    /// At the next poll, whatever has grown.
    void trim(const Region& region);
    /// A collection has been due for so long that what has ended must wait for it, if it was passed over once.
    bool overdue() const;
    struct Due {
        Region* outermost;
        CollectionReason reason;
    };
    /// What is due, if anything is; it is not due any more.
    std::optional<Due> take();

    /// The collection number `cycle`, of open scopes, begins.
    void begun(std::uint32_t cycle);
    /// While collections go on, which may be over: at each poll and slice.
    void watch(const Cycle& cycle);
    /// The whole heap was collected: the running one and what was asked for are forgotten, and growth counts from here.
    void start_over();

    /// law [progress]: the program outruns the running collection.
    bool urgent(const Cycle& cycle);
    /// So little is left that the program would be refused memory before a collection beside it ends.
    bool near_limit() const;

private:
    std::size_t limit() const;
    std::size_t above() const;
    /// A scope that is to be trimmed, which may have ended since.
    struct Asked {
        std::uint32_t region;
        std::uint64_t birth;
    };
    Region* to_be_trimmed(const Asked& asked) const;
    Region& grown_most() const;
    void note_used(const Cycle& cycle);
    void ended();
    void settle(std::size_t used);

    HeapCore& heap_;
    GrowthPolicy growth_;
    std::size_t emergency_above_ = 0;
    std::size_t urgent_above_ = SIZE_MAX;
    std::uint32_t urgent_cycle_ = 0;     // that this was found out for
    std::uint32_t running_ = 0;          // the collection of open scopes that goes on
    std::size_t left_ = 0;               // used bytes after the last one
    std::uint64_t promoted_before_ = 0;  // bytes promoted until then
    std::size_t used_before_ = 0;        // when it began
    std::size_t most_used_ = 0;          // since then
    std::vector<Asked> trims_;           // the oldest first
};

}  // namespace perfloc::gc
