#include "gc/verify/object_map.hpp"

#include "gc/mark/marked_objects.hpp"
#include "gc/sweep/sweep.hpp"
#include "runtime/bump.hpp"

#include <algorithm>

namespace perfloc::gc {

ObjectMap::ObjectMap(HeapCore& heap) : heap_(heap) {
    std::size_t last_page = 0;
    const auto add_region = [&](Region& region) {
        if (region.nominal_of != nullptr) return;
        regions_.push_back(&region);
        detail::write_tops(heap_, region);
        for_each_span(heap_, region, [&](std::uint32_t page, const Span& span) {
            last_page = std::max<std::size_t>(last_page, page + span.pages);
        });
    };
    heap_.for_each_open_region(add_region);
    for (Region* region = heap_.first_condemned; region != nullptr; region = region->next_listed) add_region(*region);
    starts_.assign(last_page * (detail::kPageBytes / kWordBytes) / 64 + 1, 0);
}

bool ObjectMap::is_object(const void* address) const {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - heap_.pages.base();
    const std::size_t word = offset / kWordBytes;
    return offset % kWordBytes == 0 && word / 64 < starts_.size() && (starts_[word / 64] >> (word % 64) & 1) != 0;
}

void ObjectMap::add(const void* object) {
    const std::size_t word = (reinterpret_cast<std::uintptr_t>(object) - heap_.pages.base()) / kWordBytes;
    starts_[word / 64] |= std::uint64_t{1} << (word % 64);
}

void ObjectMap::fill() {
    const MarkBitmap marks(heap_.memory, detail::Area::live);
    for (const Region* const region : regions_) {
        for_each_span(heap_, *region, [&](std::uint32_t page, const Span& span) {
            for_each_live(marks, heap_.pages, page, span, [&](void* object, Header header, std::size_t) {
                if (!moved(span, header)) add(object);
            });
        });
    }
}

}  // namespace perfloc::gc
