#pragma once

#include <perfloc/array.hpp>
#include <perfloc/detail/allocate.hpp>
#include <perfloc/handle.hpp>

#include <cstddef>
#include <memory>
#include <utility>

/// Making managed objects, in the innermost scope of the calling thread's mutator (or, `_in`, in a given scope).
///
/// All: the arguments of an aggregate are its fields, Ref fields from Handles, Refs or plain pointers; of another class
/// they are its constructor's. Amortised O(1) and the constructor's own work. Throws OutOfMemory at the limit,
/// ObjectTooLarge, AttachError on a thread without a mutator, LengthError for an impossible length, and what the
/// constructor throws. No safepoint: nothing moves and nothing dies. Where a scope of 256 KiB and more takes memory while a
/// collection goes on, that may be given a slice, within the pause budget (not in constructors, nor under NoPause). A
/// constructor that leaves another scope current than it found (an open Scope, a DetachedScope::Enter) aborts.
namespace perfloc {

/// As first argument: so many bytes of uninitialised storage behind the object, word-aligned.
struct ExtraBytes {
    std::size_t bytes;
};

/// A plain pointer: valid until its scope ends or this mutator polls, whichever comes first.
template <class T, class... Args>
PERFLOC_INLINE T* make_raw(Args&&... args) {
    return detail::make_object<T>(detail::InCurrent{}, 0, static_cast<Args&&>(args)...);
}
template <class T, class... Args>
PERFLOC_INLINE T* make_raw(ExtraBytes extra, Args&&... args) {
    return detail::make_object<T>(detail::InCurrent{}, extra.bytes, static_cast<Args&&>(args)...);
}

/// A handle: valid always, follows its object.
template <class T, class... Args>
PERFLOC_INLINE Handle<T> make(Args&&... args) {
    return detail::HandleAccess::current(make_raw<T>(static_cast<Args&&>(args)...));
}

/// From an expression that needs nested braces: `make_with<T>([&] { return T{a, {b, c}, 3}; })`. Built in place.
template <class T, class Function>
T* make_raw_with(Function&& function) {
    return detail::make_object_with<T>(detail::InCurrent{}, 0, static_cast<Function&&>(function));
}
template <class T, class Function>
Handle<T> make_with(Function&& function) {
    return detail::HandleAccess::current(make_raw_with<T>(static_cast<Function&&>(function)));
}

namespace detail {

template <class T, class Where, class Length>
Array<T>* make_array_zero(Where where, Length length) {
    return make_array_object<T>(where, length,
                                [](T* elements, std::size_t n) { std::uninitialized_value_construct_n(elements, n); });
}
template <class T, class Where, class Length, class Value>
Array<T>* make_array_filled(Where where, Length length, const Value& value) {
    return make_array_object<T, quiet_argument<Value>>(where, length, [&value](T* elements, std::size_t n) {
        if constexpr (is_ref<T>) {
            for (std::size_t i = 0; i < n; ++i) ::new (elements + i) T(value);
        } else {
            std::uninitialized_fill_n(elements, n, value);
        }
    });
}

/// The region of what may be named as a scope.
struct RegionOf {
    template <class S>
    static InRegion of(S& scope) {
        return {scope.region()};
    }
};

}  // namespace detail

/// An array of `length` value-initialised elements, or of copies of `value`.
template <class T, class Length>
Array<T>* make_raw_array(Length length) {
    return detail::make_array_zero<T>(detail::InCurrent{}, length);
}
template <class T, class Length, class Value>
Array<T>* make_raw_array(Length length, const Value& value) {
    return detail::make_array_filled<T>(detail::InCurrent{}, length, value);
}
template <class T, class Length>
Handle<Array<T>> make_array(Length length) {
    return detail::HandleAccess::current(make_raw_array<T>(length));
}
template <class T, class Length, class Value>
Handle<Array<T>> make_array(Length length, const Value& value) {
    return detail::HandleAccess::current(make_raw_array<T>(length, value));
}

/// In an enclosing Scope, a DetachedScope or the heap's root scope.
template <class T, class S, class... Args>
T* make_raw_in(S& scope, Args&&... args) {
    return detail::make_object<T>(detail::RegionOf::of(scope), 0, static_cast<Args&&>(args)...);
}
template <class T, class S, class... Args>
T* make_raw_in(S& scope, ExtraBytes extra, Args&&... args) {
    return detail::make_object<T>(detail::RegionOf::of(scope), extra.bytes, static_cast<Args&&>(args)...);
}
template <class T, class S, class... Args>
Handle<T> make_in(S& scope, Args&&... args) {
    return Handle<T>(make_raw_in<T>(scope, static_cast<Args&&>(args)...));
}
template <class T, class S, class Length>
Handle<Array<T>> make_array_in(S& scope, Length length) {
    return Handle<Array<T>>(detail::make_array_zero<T>(detail::RegionOf::of(scope), length));
}
template <class T, class S, class Length, class Value>
Handle<Array<T>> make_array_in(S& scope, Length length, const Value& value) {
    return Handle<Array<T>>(detail::make_array_filled<T>(detail::RegionOf::of(scope), length, value));
}

}  // namespace perfloc
