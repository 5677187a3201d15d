#include "gc/verify/stack_watch.hpp"

#include "gc/verify/object_map.hpp"
#include "runtime/check.hpp"

#include <fmt/core.h>

namespace perfloc::gc {

/// The stack of the mutator, from this frame to the one that attached it. Reads between variables, on purpose.
__attribute__((noinline, no_sanitize_address)) void StackWatch::before() {
    words_.clear();
    values_.clear();
    if (lines_ >= kMostLines || heap_.mutator == nullptr) return;
    ObjectMap objects(heap_);
    objects.fill();
    auto* const top = static_cast<void* const*>(__builtin_frame_address(0));
    auto* const base = reinterpret_cast<void* const*>(reinterpret_cast<std::uintptr_t>(heap_.mutator->stack_base) & ~std::uintptr_t{7});
    for (auto* word = top; word < base; ++word) {
        void* const value = *word;
        if (!heap_.pages.contains(value) || !objects.is_object(value)) continue;
        words_.push_back(word);
        values_.push_back(value);
    }
}

__attribute__((noinline, no_sanitize_address)) void StackWatch::after() {
    if (words_.empty()) return;
    ObjectMap objects(heap_);
    objects.fill();
    for (std::size_t i = 0; i < words_.size() && lines_ < kMostLines; ++i) {
        if (*words_[i] != values_[i] || objects.is_object(values_[i])) continue;  // a handle followed, or nothing moved
        ++lines_;
        heap_.totals.stale_words += 1;
        detail::report(fmt::format("a word of the stack, at {}, still holds {} after a poll that moved or freed the object there: "
                                   "a raw pointer kept too long? (law [raw])",
                                   static_cast<const void*>(words_[i]), values_[i]));
    }
    words_.clear();
}

}  // namespace perfloc::gc
