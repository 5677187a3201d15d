#pragma once

#include "runtime/heap_core.hpp"

#include <cstdint>
#include <vector>

namespace perfloc::gc {

/// The span is being evacuated, and the object is elsewhere already.
inline bool moved(const detail::Span& span, detail::Header header) {
    return span.candidate != 0 && (header & detail::kForwarded) != 0;
}

/// Where objects that may be alive start: found by walking every span of every open region, not from mark bits (but where
/// a span's live map is all that tells the living from the dead). One bit for each word up to the last page in use.
class ObjectMap {
public:
    explicit ObjectMap(detail::HeapCore& heap);

    bool is_object(const void* address) const;
    void add(const void* object);
    const std::vector<detail::Region*>& regions() const { return regions_; }

    /// Walks all objects and enters them.
    void fill();

private:
    detail::HeapCore& heap_;
    std::vector<detail::Region*> regions_;
    std::vector<std::uint64_t> starts_;
};

}  // namespace perfloc::gc
