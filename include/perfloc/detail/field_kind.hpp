#pragma once

#include <perfloc/trace.hpp>

#include <boost/pfr.hpp>

#include <bitset>
#include <chrono>
#include <complex>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

/// What a field of a managed aggregate may be: nothing is silently untraced.
namespace perfloc::detail {

template <class T>
inline constexpr bool is_ref = false;
template <class T>
inline constexpr bool is_ref<Ref<T>> = true;

template <class T>
inline constexpr bool is_handle = false;
template <class T>
inline constexpr bool is_handle<Handle<T>> = true;
template <class T>
inline constexpr bool is_handle<WeakHandle<T>> = true;
template <class T>
inline constexpr bool is_handle<GlobalHandle<T>> = true;
template <class T>
inline constexpr bool is_handle<GlobalWeakHandle<T>> = true;
template <class T>
inline constexpr bool is_handle<Pin<T>> = true;

template <class T>
inline constexpr bool is_array_object = false;
template <class T>
inline constexpr bool is_array_object<Array<T>> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
concept Traced = requires(const T& t, Tracer& tracer) { t.trace(tracer); };

template <class T>
concept Complete = requires { sizeof(T); };

// --- aggregates that reflection cannot see through -------------------------------------------------------------------

struct AnyField {
    template <class U>
    operator U() const;  // never defined: used in unevaluated expressions only
};
template <std::size_t>
using AnyFieldAt = AnyField;

template <class T>
struct AnyBaseOf {
    template <class U>
        requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>)
    operator U() const;
};

template <class T, std::size_t... I>
constexpr bool takes_flat(std::index_sequence<I...>) {
    return requires { T{AnyFieldAt<I>{}...}; };
}
template <class T, std::size_t... I, std::size_t... J>
constexpr bool takes_nested_pair(std::index_sequence<I...>, std::index_sequence<J...>) {
    return requires { T{AnyFieldAt<I>{}..., {AnyField{}, AnyField{}}, AnyFieldAt<J>{}...}; };
}

template <class T, std::size_t N = 0>
constexpr std::size_t flat_count() {
    if constexpr (N > sizeof(T)) {
        return N - 1;
    } else if constexpr (takes_flat<T>(std::make_index_sequence<N>{}) &&
                         !takes_flat<T>(std::make_index_sequence<N + 1>{})) {
        return N;
    } else {
        return flat_count<T, N + 1>();
    }
}

/// A C array begins at initialiser number I: braces around two of its elements are accepted and stand for all of them, so
/// that less room is left behind them than behind any other field's.
template <class T, std::size_t N, std::size_t I>
constexpr bool c_array_at() {
    return takes_nested_pair<T>(std::make_index_sequence<I>{}, std::index_sequence<>{}) &&
           !takes_nested_pair<T>(std::make_index_sequence<I>{}, std::make_index_sequence<N - I - 1>{});
}
template <class T, std::size_t N, std::size_t... I>
constexpr bool c_array_among(std::index_sequence<I...>) {
    return (c_array_at<T, N, I>() || ...);
}

template <class T>
consteval bool has_c_array() {
    constexpr std::size_t n = flat_count<T>();
    return c_array_among<T, n>(std::make_index_sequence<n>{});
}

template <class T>
consteval bool has_base() {
    return requires { T{AnyBaseOf<T>{}}; };
}

// --- classes known to hold no references -----------------------------------------------------------------------------

template <class T>
consteval bool ref_free();

template <class... T>
consteval bool all_ref_free() {
    return (ref_free<T>() && ...);
}

/// A class of the standard library whose conversions run no code of the user's: not std::optional<T> of a T of his.
template <class T>
inline constexpr bool plain_class = false;
template <class T>
inline constexpr bool plain_value = std::is_scalar_v<T> || plain_class<T>;
template <class C>
inline constexpr bool plain_class<std::basic_string_view<C>> = std::is_integral_v<C>;
template <class R, class P>
inline constexpr bool plain_class<std::chrono::duration<R, P>> = std::is_arithmetic_v<R>;
template <class C, class D>
inline constexpr bool plain_class<std::chrono::time_point<C, D>> = plain_class<D>;
template <class T>
inline constexpr bool plain_class<std::complex<T>> = std::is_arithmetic_v<T>;
template <std::size_t N>
inline constexpr bool plain_class<std::bitset<N>> = true;
template <class T>
inline constexpr bool plain_class<std::atomic<T>> = std::is_scalar_v<T>;
template <class T>
inline constexpr bool plain_class<std::optional<T>> = plain_value<T>;
template <class... T>
inline constexpr bool plain_class<std::variant<T...>> = (plain_value<T> && ...);
template <class... T>
inline constexpr bool plain_class<std::tuple<T...>> = (plain_value<T> && ...);
template <class A, class B>
inline constexpr bool plain_class<std::pair<A, B>> = plain_value<A> && plain_value<B>;
template <>
inline constexpr bool plain_class<std::monostate> = true;

template <class T>
inline constexpr bool known_ref_free = false;
template <class C, class R, class A>
inline constexpr bool known_ref_free<std::basic_string<C, R, A>> = true;
template <class C, class R>
inline constexpr bool known_ref_free<std::basic_string_view<C, R>> = true;
template <class R, class P>
inline constexpr bool known_ref_free<std::chrono::duration<R, P>> = true;
template <class C, class D>
inline constexpr bool known_ref_free<std::chrono::time_point<C, D>> = true;
template <class T>
inline constexpr bool known_ref_free<std::complex<T>> = true;
template <std::size_t N>
inline constexpr bool known_ref_free<std::bitset<N>> = true;
template <>
inline constexpr bool known_ref_free<std::filesystem::path> = true;
template <class T>
inline constexpr bool known_ref_free<std::atomic<T>> = ref_free<T>();
template <class T>
inline constexpr bool known_ref_free<std::optional<T>> = ref_free<T>();
template <class... T>
inline constexpr bool known_ref_free<std::variant<T...>> = all_ref_free<T...>();
template <class... T>
inline constexpr bool known_ref_free<std::tuple<T...>> = all_ref_free<T...>();
template <class A, class B>
inline constexpr bool known_ref_free<std::pair<A, B>> = all_ref_free<A, B>();
template <class T, class A>
inline constexpr bool known_ref_free<std::vector<T, A>> = ref_free<T>();
template <class T, class D>
inline constexpr bool known_ref_free<std::unique_ptr<T, D>> = ref_free<T*>();
template <class T>
inline constexpr bool known_ref_free<std::shared_ptr<T>> = ref_free<T*>();
template <class T, class... R>
inline constexpr bool known_ref_free<std::set<T, R...>> = ref_free<T>();
template <class T, class... R>
inline constexpr bool known_ref_free<std::unordered_set<T, R...>> = ref_free<T>();
template <class K, class V, class... R>
inline constexpr bool known_ref_free<std::map<K, V, R...>> = all_ref_free<K, V>();
template <class K, class V, class... R>
inline constexpr bool known_ref_free<std::unordered_map<K, V, R...>> = all_ref_free<K, V>();
template <>
inline constexpr bool known_ref_free<std::monostate> = true;

// --- the kinds -------------------------------------------------------------------------------------------------------

enum class FieldKind {
    plain,
    ref,
    std_array,
    aggregate,
    traced,
    managed_pointer,
    handle,
    c_array,
    array_object,
    unknown
};

template <class T>
consteval bool is_managed();

template <class T>
consteval bool is_managed_pointer() {
    using U = std::remove_cv_t<std::remove_pointer_t<T>>;
    if constexpr (std::is_function_v<U> || std::is_void_v<U>) {
        return false;
    } else {
        return is_managed<U>();
    }
}

template <class Field>
consteval FieldKind kind_of() {
    using F = std::remove_cv_t<Field>;
    if constexpr (std::is_pointer_v<F>) {
        return is_managed_pointer<F>() ? FieldKind::managed_pointer : FieldKind::plain;
    } else if constexpr (std::is_scalar_v<F>) {  // arithmetic, enumerations, pointers to members, nullptr_t
        return FieldKind::plain;
    } else if constexpr (is_ref<F>) {
        return FieldKind::ref;
    } else if constexpr (is_handle<F>) {
        return FieldKind::handle;
    } else if constexpr (is_array_object<F>) {
        return FieldKind::array_object;
    } else if constexpr (std::is_array_v<F>) {
        return FieldKind::c_array;
    } else if constexpr (is_std_array<F>) {
        return FieldKind::std_array;
    } else if constexpr (holds_no_refs<F> || known_ref_free<F>) {
        return FieldKind::plain;
    } else if constexpr (Traced<F>) {
        return FieldKind::traced;
    } else if constexpr (std::is_aggregate_v<F>) {
        return FieldKind::aggregate;
    } else {
        return FieldKind::unknown;
    }
}

/// Where reflection looks at T: its name stands beside an error of Boost.PFR's own.
template <class T>
struct UseStdArrayOrGiveTrace_BitFieldsBasesAndCArraysCannotBeReflected {
    static_assert(!std::is_union_v<T>,
                  "perfloc: a union cannot be a managed object: which member is alive is unknown; "
                  "use a struct, or a class with trace()");
    static_assert(!has_base<T>(),
                  "perfloc: the fields of an aggregate with a base class cannot be reflected; make the "
                  "base a member, or give the class trace()");
    static_assert(!has_c_array<T>(),
                  "perfloc: the fields of an aggregate with a C array cannot be reflected; use std::array, or give "
                  "trace()");
    static constexpr bool ok = !std::is_union_v<T> && !has_base<T>() && !has_c_array<T>();

    /// Predicate<Field>::value for some field. False, beside the errors above, for what cannot be reflected.
    template <template <class> class Predicate>
    static consteval bool any_field() {
        if constexpr (ok) {
            return any_of<Predicate>(std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
        } else {
            return false;
        }
    }

private:
    template <template <class> class Predicate, std::size_t... I>
    static consteval bool any_of(std::index_sequence<I...>) {
        return (Predicate<boost::pfr::tuple_element_t<I, T>>::value || ...);
    }
};
template <class T>
using Reflectable = UseStdArrayOrGiveTrace_BitFieldsBasesAndCArraysCannotBeReflected<T>;

/// T itself holds a Ref, by value, however deep. Follows no pointer and asks no container for its elements, so that a
/// type may be asked about while it is asked whether it is managed.
template <class T>
struct HoldsRef {
    static consteval bool compute() {
        if constexpr (is_ref<T>) {
            return true;
        } else if constexpr (is_std_array<T>) {
            return HoldsRef<typename T::value_type>::value;
        } else if constexpr (!std::is_class_v<T> || holds_no_refs<T>) {
            return false;
        } else if constexpr (Traced<T>) {
            return true;
        } else if constexpr (std::is_aggregate_v<T> && !std::is_copy_constructible_v<T>) {
            // Whatever holds a Ref cannot be copied: the test spares foreign structures a reflection that may fail.
            if constexpr (has_c_array<T>() || has_base<T>()) {
                return false;
            } else {
                return Reflectable<T>::template any_field<HoldsRef>();
            }
        } else {
            return false;
        }
    }
    static constexpr bool value = compute();
};

template <class T>
consteval bool is_managed() {
    if constexpr (!Complete<T>) {
        return false;
    } else if constexpr (managed<T> || is_array_object<T> || Traced<T>) {
        return true;
    } else if constexpr (std::is_class_v<T> && std::is_aggregate_v<T>) {
        return HoldsRef<T>::value;
    } else {
        return false;
    }
}

template <class T>
consteval bool ref_free() {
    constexpr FieldKind kind = kind_of<T>();
    if constexpr (kind == FieldKind::plain) {
        return true;
    } else if constexpr (kind == FieldKind::std_array) {
        return ref_free<typename T::value_type>();
    } else if constexpr (kind == FieldKind::aggregate) {
        return !HoldsRef<T>::value && !is_managed<T>();
    } else {
        return false;
    }
}

}  // namespace perfloc::detail
