#pragma once

#include "gc/verify/object_map.hpp"
#include "runtime/heap_core.hpp"

#include <perfloc/heap.hpp>

#include <cstdint>
#include <string>
#include <unordered_set>

namespace perfloc::gc {

using detail::HeapCore;
using detail::Region;

/// Checks the laws on a whole heap that stands still. It walks every object that may be alive, and trusts nothing that the
/// collectors derive: object starts are found by walking each span, not from mark bits (but where a span's live map is all
/// that tells the living from the dead).
///
/// law [remset]   each reference between regions that no enclosing scope covers is an incoming slot, and each handle is in
///                the lists of its object's region
/// law [stale]    each reference of a live object, and each handle, refers to the start of a live object of an open region
/// law [park]     no live object is in a span of the pool
/// protocol P6    a collection of open scopes can tell its spans from others of the same regions
class Verifier {
public:
    explicit Verifier(HeapCore& heap);

    VerifyReport run();

private:
    struct Where {
        const void* object = nullptr;
        std::uint64_t header = 0;
    };

    void find_objects(Region& region);
    void check_bytes(const Region& region);
    bool may_join_set(const Region& region) const;
    void check_set(const Region& region);
    void check_to_be_frozen(const Region& region);
    void check_recorded(const Region& region);
    void check_shades();
    void check_region(Region& region);
    void check_object(Region& region, void* object, std::uint64_t header);
    void check_reference(Region& region, const Where& parent, std::size_t offset, std::atomic<void*>& slot);
    void check_handles(Region& region, const detail::HandleNode& sentinel, const char* kind);
    void check_cleanups(Region& region);
    void look_for_undeclared(const Where& parent);
    std::string describe(const Where& parent, std::size_t offset, const void* child) const;
    void violation(std::string line);
    bool is_dying(const void* object) const;
    bool has_left_set(const void* address) const;

    HeapCore& heap_;
    ObjectMap objects_;
    std::unordered_set<std::uint64_t> recorded_;  // (slot, target region)
    std::unordered_set<std::uint64_t>
        told_;  // slots that are recorded for any region that the running collection looks at
    VerifyReport report_;
};

}  // namespace perfloc::gc
