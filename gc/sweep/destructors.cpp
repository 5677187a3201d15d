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

/// `inner`: only of those that die in this one, where an outer destructor may hold handles to others yet.
void check_no_resurrection(HeapCore& heap, const Region* inner) {
    const std::lock_guard guard(heap.global_handles);
    for (detail::HandleNode* list : {&heap.dying, &heap.dying_globals}) {
        for_each_handle(*list, [&](const detail::HandleNode& node) {
            PERFLOC_CHECK(inner != nullptr && &heap.region_at(node.object) != inner,
                          "a destructor leaves a handle to a dying object of type {}: destructors may not resurrect",
                          detail::type_of(node.object).name);
        });
    }
}

/// The innermost scope is not ended by a destructor, which would end what whoever runs it is in.
class Held {
public:
    explicit Held(const HeapCore& heap)
        : region_(detail::hot.mutator != nullptr && detail::hot.mutator->heap == &heap ? detail::hot.region : nullptr) {
        if (region_ != nullptr && region_->constructing++ == 0) region_->attention |= detail::kConstructingBit;
    }
    ~Held() {
        if (region_ == nullptr) return;
        if (--region_->constructing == 0) region_->attention &= ~detail::kConstructingBit;
        PERFLOC_CHECK(detail::hot.region == region_,
                      "scope \"{}\" was current before a destructor ran, and \"{}\" is now",
                      detail::LabelTable::name(region_->label), detail::LabelTable::name(detail::hot.region->label));
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

private:
    detail::RegionHot* region_;
};

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

void take_dead(HeapCore& heap, const MarkBitmap& marks, Region& region, detail::List<void*>& dead) {
    const std::size_t before = dead.size();
    region.cleanups.filter(heap.chunks, [&](void* object) {
        if (marks.test(static_cast<char*>(object) - kHeaderBytes)) return true;
        dead.push_back(object);
        return false;
    });
    std::reverse(dead.begin() + static_cast<std::ptrdiff_t>(before), dead.end());
}

namespace {

/// Runs what runs destructors, of objects that died in this region.
template <class F>
void as_destructors(HeapCore& heap, const Region& region, F&& run) {
    // A destructor may end a scope that has some of its own.
    const auto outer = std::exchange(heap.is_dying, &is_dying);
    detail::update_watch(heap);
    ++detail::hot.quiet;
    {
        const Held innermost(heap);
        run();
    }
    --detail::hot.quiet;
    check_no_resurrection(heap, outer != nullptr ? &region : nullptr);
    heap.is_dying = outer;
    detail::update_watch(heap);
}

}  // namespace

void run_destructors(HeapCore& heap, const detail::List<void*>& dead) {
    if (dead.empty()) return;
    as_destructors(heap, heap.region_at(dead.front()), [&] {
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
    as_destructors(heap, heap.region_at(object),
                   [&] { detail::type_info(type).destroy(static_cast<char*>(object) + done * stride, n); });
    done += n;
    return done == count;
}

}  // namespace perfloc::gc
