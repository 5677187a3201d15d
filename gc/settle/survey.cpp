#include "gc/settle/survey.hpp"

#include "runtime/hash.hpp"

namespace perfloc::gc {

bool Survey::few_roots(const Region& ended, std::chrono::nanoseconds budget) {
    found_ = {.roots = ended.incoming.size()};
    if (few_survive(found_, budget)) found_.roots += count_handles(heap_, ended, most_roots(budget));
    return few_survive(found_, budget);
}

bool Survey::few_survivors(const Region& ended, const detail::List<Root>& roots, std::chrono::nanoseconds budget) {
    number_ = 0;
    too_many_ = false;
    movable_ = true;
    seen_.fill(nullptr);
    for (const Root& root : roots) see(root.target());
    const detail::TypeShape* const shapes = detail::type_shapes();
    for (std::size_t i = 0; i < number_ && !too_many_; ++i) {
        void* const object = objects_[i];
        const Header header = detail::header_of(object);
        if (!count(object, header, budget)) return false;
        detail::for_each_ref(object, header, shapes, [&](const std::atomic<void*>& slot) {
            void* const target = slot.load(std::memory_order_relaxed);
            if (target != nullptr && heap_.pages.region_at(target) == ended.index) see(target);
        });
    }
    return !too_many_;
}

void Survey::see(void* object) {
    std::size_t at = detail::scattered(object) >> (64 - kMostObjectsBits - 2);
    for (; seen_[at] != nullptr; at = (at + 1) % seen_.size()) {
        if (seen_[at] == object) return;
    }
    too_many_ = too_many_ || number_ == kMostObjects;
    if (too_many_) return;
    seen_[at] = objects_[number_++] = object;
    __builtin_prefetch(static_cast<char*>(object) - kHeaderBytes);
}

/// False where it costs too much, with all that was found before.
bool Survey::count(const void* object, Header header, std::chrono::nanoseconds budget) {
    const Span& span = heap_.pages.span_at(object);
    const bool moves = span.kind == detail::SpanKind::movable && span.pins == 0;
    movable_ = movable_ && moves;
    found_.objects += 1;
    const detail::TypeShape* const shapes = detail::type_shapes();
    const bool passed_over = !moves && !shapes[detail::header_type(header)].has_refs;
    if (!passed_over) found_.bytes += detail::object_bytes(header, shapes);
    return few_survive(found_, budget);
}

}  // namespace perfloc::gc
