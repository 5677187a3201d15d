#include "gc/sweep/destructors.hpp"

#include "gc/roots.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"

#include <algorithm>

namespace perfloc::gc {

namespace {

/// In a span that a collection looks at, and not marked.
bool is_dying(HeapCore& heap, const void* address) {
    const MarkBitmap marks(heap.memory);
    if (!heap.pages.contains(address)) return false;
    const std::uint32_t page = heap.pages.span_page(address);
    const Span& span = heap.pages.span(page);
    const bool looked_at =
        span.condemned || (heap.collection.mode == detail::BarrierMode::settling && detail::in_set(heap, address));
    return looked_at && !marked_word(marks, heap.pages, address);
}

void check_no_resurrection(HeapCore& heap) {
    const std::lock_guard guard(heap.global_handles);
    for (const detail::HandleNode* list : {&heap.dying, &heap.dying_globals}) {
        PERFLOC_CHECK(list_empty(*list),
                      "a destructor leaves a handle to a dying object of type {}: destructors may not resurrect",
                      detail::type_of(list->next->object).name);
    }
}

}  // namespace

std::uint64_t count_destructors(const Region& region, std::uint64_t most) {
    constexpr std::uint64_t kElementsADestructor = 8;
    std::uint64_t destructors = region.cleanups.size();
    if (destructors > most) return destructors;
    region.cleanups.for_each([&](void* object) {
        const Header header = detail::header_of(object);
        if (detail::type_shapes()[detail::header_type(header)].stride != 0)
            destructors += detail::header_count(header) / kElementsADestructor;
    });
    return destructors;
}

void take_dead(HeapCore& heap, const MarkBitmap& marks, Region& region, std::vector<void*>& dead) {
    const std::size_t before = dead.size();
    region.cleanups.filter(heap.chunks, [&](void* object) {
        if (marks.test(static_cast<char*>(object) - kHeaderBytes)) return true;
        dead.push_back(object);
        return false;
    });
    std::reverse(dead.begin() + static_cast<std::ptrdiff_t>(before), dead.end());
}

namespace {

/// Runs what runs destructors.
template <class F>
void as_destructors(HeapCore& heap, F&& run) {
    // A destructor may end a scope that has some of its own.
    const auto outer = std::exchange(heap.is_dying, &is_dying);
    detail::update_watch(heap);
    ++detail::hot.quiet;
    run();
    --detail::hot.quiet;
    if (outer == nullptr) check_no_resurrection(heap);  // an outer destructor may hold one yet
    heap.is_dying = outer;
    detail::update_watch(heap);
}

}  // namespace

void run_destructors(HeapCore& heap, const std::vector<void*>& dead) {
    if (dead.empty()) return;
    as_destructors(heap, [&] {
        for (void* const object : dead) {
            const Header header = detail::header_of(object);
            detail::type_info(detail::header_type(header)).destroy(object, detail::header_count(header));
        }
    });
}

bool run_some_destructors(HeapCore& heap, void* object, std::uint64_t& done, std::uint64_t most) {
    const Header header = detail::header_of(object);
    const std::uint32_t type = detail::header_type(header);
    const std::uint64_t stride = detail::type_shapes()[type].stride;
    const std::uint64_t count = detail::header_count(header);
    const std::uint64_t n = stride != 0 ? std::min(most, count - done) : count;  // of an object: the words behind it
    as_destructors(heap, [&] { detail::type_info(type).destroy(static_cast<char*>(object) + done * stride, n); });
    done += n;
    return done == count;
}

}  // namespace perfloc::gc
