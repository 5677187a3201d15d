#pragma once

#include <perfloc/detail/field_kind.hpp>
#include <perfloc/detail/field_name.hpp>
#include <perfloc/detail/type_info.hpp>
#include <perfloc/detail/type_name.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

/// From a C++ type to its TypeInfo: the fields of an aggregate by reflection (Boost.PFR), those of another class by its
/// trace().
namespace perfloc::detail {

template <class Owner, class Field>
consteval bool check_field();

template <class Owner>
struct Fields {
    template <class Field>
    struct Bad : std::bool_constant<!check_field<Owner, Field>()> {};
};

template <class T>
consteval bool check_aggregate() {
    return Reflectable<T>::ok && !Reflectable<T>::template any_field<Fields<T>::template Bad>();
}

template <class Owner, class Field>
consteval bool check_field() {
    constexpr FieldKind kind = kind_of<Field>();
    static_assert(kind != FieldKind::managed_pointer,
                  "perfloc: a managed object holds a plain pointer to a managed type, which the collector would not "
                  "see; make the field a perfloc::Ref (Owner and Field are named in check_field<Owner, Field>)");
    static_assert(kind != FieldKind::handle,
                  "perfloc: a managed object holds a Handle, which is a root and would never die; make the field a "
                  "perfloc::Ref (Owner and Field are named in check_field<Owner, Field>)");
    static_assert(kind != FieldKind::c_array, "perfloc: use std::array, or give trace()");
    static_assert(kind != FieldKind::array_object,
                  "perfloc: an Array is an object of its own; hold it by perfloc::Ref<perfloc::Array<T>>, or use "
                  "std::array");
    static_assert(kind != FieldKind::unknown,
                  "perfloc: a field of this class might hide references; use Ref or std::array, give its owner "
                  "trace(), or declare the class free of references with perfloc::holds_no_refs<Field> (Owner and "
                  "Field are named in check_field<Owner, Field>)");
    if constexpr (kind == FieldKind::std_array) {
        return check_field<Owner, typename Field::value_type>();
    } else if constexpr (kind == FieldKind::aggregate) {
        return check_aggregate<Field>();
    } else {
        return true;
    }
}

// --- movability ------------------------------------------------------------------------------------------------------

template <class T>
struct NotMovableByBytes;

template <class T>
consteval bool movable_by_bytes() {
    if constexpr (relocatable<T> || std::is_trivially_copyable_v<T> || is_ref<T>) {
        return true;
    } else if constexpr (is_std_array<T>) {
        return movable_by_bytes<typename T::value_type>();
    } else if constexpr (kind_of<T>() == FieldKind::aggregate) {
        return !Reflectable<T>::template any_field<NotMovableByBytes>();
    } else {
        return false;
    }
}
template <class T>
struct NotMovableByBytes : std::bool_constant<!movable_by_bytes<T>()> {};

/// An object of T may be moved: by its bytes, and not over-aligned (compaction keeps words apart, not cache lines).
template <class T>
inline constexpr bool may_move = movable_by_bytes<T>() && alignof(T) <= kWordBytes;

template <class T>
struct NotPlain;

/// Initialising such a field from an argument runs no code of the user's.
template <class T>
consteval bool plain_field() {
    if constexpr (is_ref<T> || std::is_scalar_v<T> ||
                  (known_ref_free<T> && plain_class<T> && std::is_trivially_copyable_v<T>)) {
        return true;
    } else if constexpr (is_std_array<T>) {
        return plain_field<typename T::value_type>();
    } else if constexpr (kind_of<T>() == FieldKind::aggregate) {
        return !Reflectable<T>::template any_field<NotPlain>();
    } else {
        return false;
    }
}
template <class T>
struct NotPlain : std::bool_constant<!plain_field<T>()> {};

/// No default member initialiser does more than name a value.
template <class T>
concept ConstantDefault = requires { typename std::bool_constant<(static_cast<void>(T{}), true)>; };

/// Constructing a T from quiet arguments (detail::quiet_argument) runs no code of the user's and cannot throw. law [quiet]: such an
/// object is never seen half built, and so costs no bookkeeping.
template <class T>
consteval bool constructs_quietly() {
    if constexpr (std::is_scalar_v<T>) {
        return true;
    } else if constexpr (std::is_class_v<T> && std::is_aggregate_v<T> && std::is_trivially_destructible_v<T> &&
                         !holds_no_refs<T> && !Traced<T>) {
        return plain_field<T>() && ConstantDefault<T>;
    } else {
        return false;
    }
}

// --- offsets ---------------------------------------------------------------------------------------------------------

/// A Ref that was found, by its place and by its name ("child.left", "kids[2]"; empty where it has none).
struct FoundRef {
    std::uint32_t offset;
    std::string name;
};

template <class T>
void collect_refs(std::uint32_t base, const std::string& name, std::vector<FoundRef>& out);

template <class T>
void collect_traced(std::uint32_t base, const std::string& name, std::vector<FoundRef>& out) {
    alignas(T) static thread_local std::byte storage[sizeof(T)];
    std::memset(storage, 0, sizeof storage);
    Tracer tracer(storage);
    reinterpret_cast<const T*>(storage)->trace(tracer);
    for (std::uint32_t offset : tracer.offsets()) out.push_back({base + offset, name});
}

template <class T, std::size_t I>
void collect_field(std::uint32_t base, const std::string& name, std::vector<FoundRef>& out) {
    const auto* const start = reinterpret_cast<const std::byte*>(&nameless<T>.object);
    const auto* const field = reinterpret_cast<const std::byte*>(&boost::pfr::get<I>(nameless<T>.object));
    const std::string own = (name.empty() ? name : name + ".") + std::string(field_name<T, I>());
    collect_refs<boost::pfr::tuple_element_t<I, T>>(base + static_cast<std::uint32_t>(field - start), own, out);
}

template <class T, std::size_t... I>
void collect_fields(std::uint32_t base, const std::string& name, std::vector<FoundRef>& out,
                    std::index_sequence<I...>) {
    (collect_field<T, I>(base, name, out), ...);
}

template <class T>
void collect_refs(std::uint32_t base, const std::string& name, std::vector<FoundRef>& out) {
    constexpr FieldKind kind = kind_of<T>();
    if constexpr (kind == FieldKind::ref) {
        out.push_back({base, name});
    } else if constexpr (kind == FieldKind::std_array) {
        using Element = typename T::value_type;
        if constexpr (HoldsRef<Element>::value) {
            for (std::size_t i = 0; i < std::tuple_size_v<T>; ++i) {
                collect_refs<Element>(base + static_cast<std::uint32_t>(i * sizeof(Element)),
                                      name + "[" + std::to_string(i) + "]", out);
            }
        }
    } else if constexpr (kind == FieldKind::traced) {
        collect_traced<T>(base, name, out);
    } else if constexpr (kind == FieldKind::aggregate) {
        if constexpr (HoldsRef<T>::value) {
            collect_fields<T>(base, name, out, std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
        }
    }
}

// --- descriptions ----------------------------------------------------------------------------------------------------

template <class T>
consteval bool check_managed() {
    static_assert(!std::is_const_v<T> && !std::is_reference_v<T>,
                  "perfloc: make<T> takes an object type without const");
    static_assert(!is_ref<T> && !is_handle<T>, "perfloc: a Ref or Handle is no object of its own; wrap it in a struct");
    static_assert(std::is_nothrow_destructible_v<T>,
                  "perfloc: the destructor of a managed type must be noexcept: it runs "
                  "when the collector finds the object dead");
    if constexpr (std::is_scalar_v<T> || holds_no_refs<T> || known_ref_free<T> || Traced<T>) {
        static_assert(kind_of<T>() != FieldKind::managed_pointer,
                      "perfloc: a plain pointer to a managed type is not seen by the collector; use perfloc::Ref");
        return true;
    } else {
        static_assert(std::is_aggregate_v<T>,
                      "perfloc: a managed class that is not an aggregate says what it refers to: give it "
                      "void trace(perfloc::Tracer&) const, or declare perfloc::holds_no_refs<T>");
        if constexpr (std::is_aggregate_v<T>) return check_aggregate<T>();
        return true;
    }
}

template <class T>
void destroy_object(void* object, std::uint64_t) noexcept {
    static_cast<T*>(object)->~T();
}
template <class T>
void destroy_elements(void* object, std::uint64_t count) noexcept {
    T* elements = static_cast<T*>(object);
    while (count > 0) elements[--count].~T();
}

template <class T>
TypeInfo describe_fields() {
    TypeInfo info;
    info.payload_bytes = sizeof(T);
    info.alignment = alignof(T) < kWordBytes ? kWordBytes : alignof(T);
    info.movable = may_move<T>;
    info.free_threaded = free_threaded<T>;
    std::vector<FoundRef> refs;
    collect_refs<T>(0, {}, refs);
    std::sort(refs.begin(), refs.end(), [](const FoundRef& a, const FoundRef& b) { return a.offset < b.offset; });
    for (FoundRef& ref : refs) {
        info.ref_offsets.push_back(ref.offset);
        info.ref_names.push_back(std::move(ref.name));
    }
    return info;
}

template <class T>
PERFLOC_COLD Header register_object_type() {
    static_assert(check_managed<T>());
    static const Header header = [] {
        TypeInfo info = describe_fields<T>();
        info.name = type_name<T>();
        if constexpr (!std::is_trivially_destructible_v<T>) info.destroy = &destroy_object<T>;
        const std::uint64_t words = (kHeaderBytes + round_to_words(sizeof(T))) / kWordBytes;
        return register_type(std::move(info)) | words << kCountShift;
    }();
    type_header<T>.store(header, std::memory_order_release);
    return header;
}

template <class T>
PERFLOC_COLD Header register_array_type() {
    if constexpr (!is_ref<T>) static_assert(check_managed<T>());
    static const Header header = [] {
        TypeInfo info = describe_fields<T>();
        info.array = true;
        info.name = type_name<Array<T>>();
        if constexpr (!std::is_trivially_destructible_v<T>) info.destroy = &destroy_elements<T>;
        return register_type(std::move(info));
    }();
    type_header<Array<T>>.store(header, std::memory_order_release);
    return header;
}

/// The header of a T. Acquire pairs with the release above: who sees the number sees the description.
template <class T>
PERFLOC_INLINE Header header_for() {
    const Header header = type_header<T>.load(std::memory_order_acquire);
    if (header == 0) [[unlikely]]
        return register_object_type<T>();
    return header;
}
template <class T>
PERFLOC_INLINE Header array_header_for() {
    const Header header = type_header<Array<T>>.load(std::memory_order_acquire);
    if (header == 0) [[unlikely]]
        return register_array_type<T>();
    return header;
}

}  // namespace perfloc::detail
