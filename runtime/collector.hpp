#pragma once

#include <perfloc/heap.hpp>
#include <perfloc/scope.hpp>

/// The runtime's only way up: what it asks of the collector that the heap was made with.
namespace perfloc::detail {

struct HeapCore;
struct Region;

class CollectorInterface {
public:
    virtual ~CollectorInterface() = default;

    /// A scope ended that something outside may still name, or that has destructors to run. `parent` is the region that
    /// encloses it and is current again. On return the region's survivors are settled and the region is gone. Must not
    /// throw: at the memory limit it merges.
    virtual ScopeReport end_scope(Region& ended, Region& parent) noexcept = 0;
    /// Collects the whole heap now. All mutators are at a safepoint.
    virtual void collect_full() = 0;
    /// At a safepoint: whatever is due. True if objects may have moved or died.
    virtual bool safepoint() = 0;
    virtual VerifyReport verify() const = 0;
};

}  // namespace perfloc::detail
