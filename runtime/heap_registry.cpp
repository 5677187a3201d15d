#include "runtime/heap_registry.hpp"

#include "runtime/heap_core.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace perfloc::detail {

namespace {

struct Registry {
    std::mutex lock;
    std::vector<const HeapCore*> heaps;
};

Registry& registry() {
    static Registry* const all = new Registry;  // outlives heaps of static storage
    return *all;
}

}  // namespace

void register_heap(const HeapCore& heap) {
    const std::lock_guard guard(registry().lock);
    registry().heaps.push_back(&heap);
}

void unregister_heap(const HeapCore& heap) {
    const std::lock_guard guard(registry().lock);
    std::erase(registry().heaps, &heap);
}

bool in_any_heap(const void* address) {
    const std::lock_guard guard(registry().lock);
    return std::any_of(registry().heaps.begin(), registry().heaps.end(),
                       [address](const HeapCore* heap) { return heap->pages.contains(address); });
}

}  // namespace perfloc::detail
