#include "gc/cycle/coroutine.hpp"

#include "runtime/check.hpp"
#include "runtime/poison.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include <cstddef>
#include <utility>

#if defined(__SANITIZE_THREAD__)
#define PERFLOC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PERFLOC_TSAN 1
#endif
#endif
#ifndef PERFLOC_TSAN
#define PERFLOC_TSAN 0
#endif

#if PERFLOC_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if PERFLOC_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace perfloc::gc {

namespace {

constexpr std::size_t kStackBytes = 256 * 1024;

/// One side of a switch, as the sanitizers see it: they keep a shadow of each stack.
struct Side {
    [[maybe_unused]] void* fake_stack = nullptr;
    [[maybe_unused]] const void* bottom = nullptr;
    [[maybe_unused]] std::size_t bytes = 0;
    [[maybe_unused]] void* tsan = nullptr;
};

void before_switch([[maybe_unused]] Side& from, [[maybe_unused]] Side& to, [[maybe_unused]] bool for_ever) {
#if PERFLOC_ASAN
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.fake_stack, to.bottom, to.bytes);
#endif
#if PERFLOC_TSAN
    __tsan_switch_to_fiber(to.tsan, 0);
#endif
}

void after_switch([[maybe_unused]] Side& to, [[maybe_unused]] Side& from) {
#if PERFLOC_ASAN
    __sanitizer_finish_switch_fiber(to.fake_stack, &from.bottom, &from.bytes);
#endif
}

}  // namespace

struct Coroutine::Impl {
    std::function<void()> body;
    Side caller, own;
    boost::context::fiber inside;   // the body, while it is suspended
    boost::context::fiber outside;  // who resumed it, while it runs
    bool done = false;
};

Coroutine::Coroutine(std::function<void()> body) : impl_(std::make_unique<Impl>()) {
    impl_->body = std::move(body);
#if PERFLOC_TSAN
    impl_->own.tsan = __tsan_create_fiber(0);
#endif
    boost::context::protected_fixedsize_stack allocator(kStackBytes);
    const boost::context::stack_context stack = allocator.allocate();
    impl_->own.bytes = stack.size;
    impl_->own.bottom = static_cast<const char*>(stack.sp) - stack.size;
    impl_->inside = boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                                          allocator, [impl = impl_.get()](boost::context::fiber&& outside) {
                                              after_switch(impl->own, impl->caller);
                                              impl->outside = std::move(outside);
                                              impl->body();
                                              impl->done = true;
                                              before_switch(impl->own, impl->caller, true);
                                              return std::move(impl->outside);
                                          });
}

Coroutine::~Coroutine() {
    PERFLOC_CHECK(finished(), "internal: a coroutine is destroyed in the middle");
#if PERFLOC_TSAN
    __tsan_destroy_fiber(impl_->own.tsan);
#endif
}

void Coroutine::resume() {
    if (impl_->done) return;
#if PERFLOC_TSAN
    impl_->caller.tsan = __tsan_get_current_fiber();
#endif
    before_switch(impl_->caller, impl_->own, false);
    impl_->inside = std::move(impl_->inside).resume();
    after_switch(impl_->caller, impl_->own);
}

void Coroutine::suspend() {
    before_switch(impl_->own, impl_->caller, false);
    impl_->outside = std::move(impl_->outside).resume();
    after_switch(impl_->own, impl_->caller);
}

bool Coroutine::finished() const { return impl_->done; }

}  // namespace perfloc::gc
