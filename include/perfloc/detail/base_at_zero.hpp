#pragma once

#include <type_traits>

namespace perfloc::detail {

template <class T>
union Unconstructed {
    constexpr Unconstructed() : nothing() {}
    constexpr ~Unconstructed() {}
    char nothing;
    T object;
};

template <class T>
inline constexpr Unconstructed<T> unconstructed{};

/// A pointer to Derived is a pointer to Base with the same address. Computed with a pointer into storage in which
/// nothing was ever constructed.
template <class Derived, class Base>
consteval bool base_at_zero() {
    if constexpr (std::is_same_v<std::remove_cv_t<Derived>, std::remove_cv_t<Base>>) {
        return true;
    } else if constexpr (!requires(const Base* base) { static_cast<const Derived*>(base); }) {
        return false;  // a virtual base: where it is, is known at run time only
    } else {
        const Derived* derived = &unconstructed<Derived>.object;
        const Base* base = derived;
        return static_cast<const void*>(derived) == static_cast<const void*>(base);
    }
}

/// The conversion that Ref and the handles allow: to the same type, to const, or to a base at offset 0.
template <class From, class To>
concept RefersAs = std::is_convertible_v<From*, To*>;

template <class From, class To>
struct CheckBase {
    static_assert(base_at_zero<From, To>(),
                  "perfloc: a Ref or handle to a base class takes a derived object only where the base is at offset 0 "
                  "of it; make it the first base, or refer to the derived type (From and To are named in "
                  "CheckBase<From, To>)");
    static constexpr bool ok = true;
};

}  // namespace perfloc::detail
