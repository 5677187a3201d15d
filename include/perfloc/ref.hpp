#pragma once

#include <perfloc/detail/barrier.hpp>
#include <perfloc/detail/base_at_zero.hpp>
#include <perfloc/detail/fwd.hpp>

#include <atomic>
#include <cstddef>
#include <type_traits>

namespace perfloc {

namespace detail {

/// A target that make() has checked, or will check, together with the object's other references.
template <class T>
struct Unchecked {
    T* target;
    operator T*() const { return target; }  // NOLINT: for fields that are plain pointers
};

struct HandleAccess;

}  // namespace detail

/// A reference field of a managed object. Reading it is a plain load; assigning it runs the write barrier. It is
/// constructed once, where it stays, and has neither a copy nor a move constructor: `auto l = n->left;` does not compile,
/// `Node* l = n->left;` does. So it lives in no optional, union or variant. Outside the heap, in an aggregate on the
/// stack, it is a plain pointer and no more. Neither reading nor assigning is a safepoint.
template <class T>
class Ref {
public:
    using element_type = T;

    Ref() noexcept = default;
    Ref(std::nullptr_t) noexcept {}  // NOLINT: implicit, as pointers are
    template <class U>
        requires detail::RefersAs<U, T>
    Ref(U* target) noexcept {  // NOLINT
        detail::initialise(word_, as_word(target));
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Ref(const Handle<U>& target) noexcept;  // NOLINT
    template <class U>
        requires detail::RefersAs<U, T>
    Ref(detail::Unchecked<U> target) noexcept : word_(as_word(target.target)) {}  // NOLINT

    Ref(const Ref&) = delete;
    Ref(Ref&&) = delete;

    Ref& operator=(const Ref& other) noexcept { return *this = other.get(); }
    Ref& operator=(std::nullptr_t) noexcept {
        detail::store(word_, nullptr);
        return *this;
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Ref& operator=(U* target) noexcept {
        detail::store(word_, as_word(target));
        return *this;
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Ref& operator=(const Ref<U>& other) noexcept {
        return *this = other.get();
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Ref& operator=(const Handle<U>& target) noexcept;

    /// Relaxed: what is read through it depends on the address.
    T* get() const noexcept { return static_cast<T*>(word_.load(std::memory_order_relaxed)); }
    operator T*() const noexcept { return get(); }  // NOLINT: reads are plain
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }

    friend void swap(Ref& a, Ref& b) noexcept {
        T* const before = a.get();
        a = b.get();
        b = before;
    }
    friend void swap(Ref&& a, Ref&& b) noexcept { swap(a, b); }

private:
    template <class U>
    static void* as_word(U* target) noexcept {
        static_assert(detail::CheckBase<U, T>::ok);
        return const_cast<std::remove_const_t<U>*>(target);
    }

    std::atomic<void*> word_{nullptr};
};

}  // namespace perfloc
