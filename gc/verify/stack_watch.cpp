#include "gc/verify/stack_watch.hpp"

#include "gc/verify/object_map.hpp"
#include "runtime/check.hpp"

#include <fmt/core.h>
#include <pthread.h>

#include <new>

namespace perfloc::gc {

namespace {

/// The end of the calling thread's stack, where its first frame is; null where the system does not tell.
void* const* stack_end() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
    void* low = nullptr;
    std::size_t bytes = 0;
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    return reinterpret_cast<void* const*>(static_cast<char*>(low) + bytes);
}

/// Reads between variables, and words that another thread may be writing (of a global handle on this stack), on purpose: what it
/// reads is compared, and never followed. All alone: what GCC 12 inlines into a function that is not sanitized leaves marks of
/// ASan's on the stack.
__attribute__((noinline, no_sanitize("address"), no_sanitize("thread"))) void* read_word(void* const* word) {
    return *static_cast<void* const volatile*>(word);
}

}  // namespace

/// The stack of the mutator, from this frame on.
void StackWatch::before() try {
    words_.clear();
    values_.clear();
    if (lines_ >= kMostLines || heap_.mutator() == nullptr) return;
    const auto start = detail::Clock::now();
    if (start < next_ && !heap_.stress.move) return;
    static thread_local void* const* const end = stack_end();  // the mutator may be on another thread than before
    ObjectMap objects(heap_);
    objects.fill();
    auto* const top = static_cast<void* const*>(__builtin_frame_address(0));
    for (auto* word = top; word < end; ++word) {
        void* const value = read_word(word);
        if (!heap_.pages.contains(value) || !objects.is_object(value)) continue;
        words_.push_back(word);
        values_.push_back(value);
    }
    const auto now = detail::Clock::now();
    cost_ = now - start;
    next_ = now + cost_ * kShare;
} catch (const std::bad_alloc&) {
    words_.clear();  // what helps in debugging is no reason to fail
}

void StackWatch::after() try {
    if (words_.empty()) return;
    const auto start = detail::Clock::now();
    ObjectMap objects(heap_);
    objects.fill();
    for (std::size_t i = 0; i < words_.size() && lines_ < kMostLines; ++i) {
        if (read_word(words_[i]) != values_[i] || objects.is_object(values_[i]))
            continue;  // a handle followed, or nothing moved
        ++lines_;
        heap_.totals.stale_words += 1;
        detail::report(
            fmt::format("a word of the stack, at {}, still holds {} after a poll that moved or freed the object there: "
                        "a raw pointer kept too long? (law [raw])",
                        static_cast<const void*>(words_[i]), values_[i]));
    }
    words_.clear();
    const auto now = detail::Clock::now();
    next_ = now + (cost_ + (now - start)) * kShare;
} catch (const std::bad_alloc&) {
    words_.clear();  // what helps in debugging is no reason to fail
}

}  // namespace perfloc::gc
