#include "runtime/remembered_set.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <new>

namespace perfloc::detail {

void RememberedSet::deduplicate(ChunkPool& pool) {
    const std::size_t n = slots_.size();
    // The C++ heap, since the set is contiguous for a moment. Where it refuses, the set stays as it is.
    const std::unique_ptr<IncomingSlot[]> all(new (std::nothrow) IncomingSlot[n]);
    if (all != nullptr) {
        std::size_t i = 0;
        slots_.for_each([&](const IncomingSlot& slot) { all[i++] = slot; });
        // By slot, the newest generation first: an older one of the same slot can no longer match.
        std::sort(all.get(), all.get() + n, [](const IncomingSlot& a, const IncomingSlot& b) {
            return a.slot != b.slot ? std::less<>{}(a.slot, b.slot) : a.generation > b.generation;
        });
        const auto* const end = std::unique(
            all.get(), all.get() + n, [](const IncomingSlot& a, const IncomingSlot& b) { return a.slot == b.slot; });
        slots_.clear(pool);
        for (const IncomingSlot* slot = all.get(); slot != end; ++slot) slots_.push(pool, *slot);
    }
    deduplicate_at_ = std::max(kFirstDeduplication, 2 * slots_.size());
}

}  // namespace perfloc::detail
