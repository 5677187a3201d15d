#include "gc/cycle/coroutine.hpp"

#include "runtime/check.hpp"
#include "runtime/poison.hpp"

#include <perfloc/errors.hpp>

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include <cstddef>
#include <new>
#include <utility>

#if PERFLOC_ASAN
#include <sanitizer/common_interface_defs.h>
#define PERFLOC_NO_ASAN __attribute__((no_sanitize_address))
#else
#define PERFLOC_NO_ASAN
#endif
#if PERFLOC_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace perfloc::gc {

namespace {

constexpr std::size_t kStackBytes = 256 * 1024;

}  // namespace

struct Coroutine::Impl {
    /// One side of a switch, as the sanitizers see it: they keep a shadow of each stack.
    struct Side {
        [[maybe_unused]] void* fake_stack = nullptr;
        [[maybe_unused]] const void* bottom = nullptr;
        [[maybe_unused]] std::size_t bytes = 0;
        [[maybe_unused]] void* tsan = nullptr;
    };

    static void before_switch([[maybe_unused]] Side& from, [[maybe_unused]] Side& to, [[maybe_unused]] bool for_ever) {
#if PERFLOC_ASAN
        __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.fake_stack, to.bottom, to.bytes);
#endif
#if PERFLOC_TSAN
        __tsan_switch_to_fiber(to.tsan, 0);
#endif
    }

    static void after_switch([[maybe_unused]] Side& to, [[maybe_unused]] Side& from) {
#if PERFLOC_ASAN
        __sanitizer_finish_switch_fiber(to.fake_stack, &from.bottom, &from.bytes);
#endif
    }

    std::function<void()> body;
    Side caller, own;
    boost::context::protected_fixedsize_stack allocator{kStackBytes};
    boost::context::stack_context stack = allocate_stack();
    boost::context::detail::fcontext_t inside = nullptr;   // the body, while it is suspended
    boost::context::detail::fcontext_t outside = nullptr;  // who resumed it, while it runs
    bool begun = false, done = false;

    boost::context::stack_context allocate_stack() {
        try {
            return allocator.allocate();
        } catch (const std::bad_alloc&) {
            throw ReservationError("perfloc: the system refuses 256 KiB for the collector's stack");
        }
    }

    /// The last switch takes ASan's stack for locals away: no function that it instruments may be below. Which is why this is
    /// fcontext and not Boost's fiber, whose own frames are there.
    PERFLOC_NO_ASAN static void enter(boost::context::detail::transfer_t from) {
        Impl* const impl = static_cast<Impl*>(from.data);
        impl->outside = from.fctx;
        after_switch(impl->own, impl->caller);
        impl->body();
        impl->done = true;
        before_switch(impl->own, impl->caller, true);
        boost::context::detail::jump_fcontext(impl->outside, nullptr);
    }
};

Coroutine::Coroutine(std::function<void()> body) : impl_(std::make_unique<Impl>()) {
    impl_->body = std::move(body);
#if PERFLOC_TSAN
    impl_->own.tsan = __tsan_create_fiber(0);
#endif
    const boost::context::stack_context& stack = impl_->stack;
    impl_->own.bytes = stack.size;
    impl_->own.bottom = static_cast<const char*>(stack.sp) - stack.size;
    impl_->inside = boost::context::detail::make_fcontext(stack.sp, stack.size, &Impl::enter);
}

Coroutine::~Coroutine() {
    PERFLOC_CHECK(finished() || !impl_->begun, "internal: a coroutine is destroyed in the middle");
#if PERFLOC_TSAN
    __tsan_destroy_fiber(impl_->own.tsan);
#endif
    detail::unpoison(impl_->own.bottom, impl_->own.bytes);  // another mapping may be there next
    impl_->allocator.deallocate(impl_->stack);
}

void Coroutine::resume() {
    if (impl_->done) return;
    impl_->begun = true;
#if PERFLOC_TSAN
    impl_->caller.tsan = __tsan_get_current_fiber();
#endif
    Impl::before_switch(impl_->caller, impl_->own, false);
    impl_->inside = boost::context::detail::jump_fcontext(impl_->inside, impl_.get()).fctx;
    Impl::after_switch(impl_->caller, impl_->own);
}

void Coroutine::suspend() {
    Impl::before_switch(impl_->own, impl_->caller, false);
    impl_->outside = boost::context::detail::jump_fcontext(impl_->outside, nullptr).fctx;
    Impl::after_switch(impl_->own, impl_->caller);
}

bool Coroutine::finished() const { return impl_->done; }

}  // namespace perfloc::gc
