#pragma once

#include <perfloc/detail/describe.hpp>
#include <perfloc/detail/handle_list.hpp>
#include <perfloc/ref.hpp>

#include <cstring>
#include <new>
#include <utility>

/// The fast path of allocation, and of the references of a new object.
namespace perfloc::detail {

/// All return the object (behind its header), and throw OutOfMemory, ObjectTooLarge or AttachError. None is a safepoint.
PERFLOC_API void* allocate_slow(std::size_t bytes, Header header);
PERFLOC_API void* allocate_pinned(RegionHot& region, std::size_t bytes, std::size_t alignment, Header header);
PERFLOC_API void* allocate_in(RegionHot& region, std::size_t bytes, Header header);

/// Records what the Refs of a new object need; they were stored unchecked.
PERFLOC_COLD PERFLOC_API void check_new_object(void* object) noexcept;
/// An object whose constructor has thrown: its references are overwritten with null, and all of it with zero.
/// A constructor has left another scope current than it found: aborts.
PERFLOC_COLD PERFLOC_API void other_scope_left(Header header) noexcept;
PERFLOC_COLD PERFLOC_API void abandon_object(void* object, std::size_t bytes, Header header) noexcept;

PERFLOC_API void add_cleanup(RegionHot& region, void* object) noexcept;
[[noreturn]] PERFLOC_COLD PERFLOC_API void bad_length(std::string_view type, std::int64_t length, bool negative);

/// Allocation writes memory in order, but the hardware's prefetchers stop at the end of a page, and a new page's
/// translation is a miss of its own: so memory is fetched more than a page ahead of the cursor, as HotSpot does
/// (AllocatePrefetchDistance). Where the size is known, as many lines as the object takes (a loop whose length varies cost
/// requests more than it gave). A prefetch of what is not backed, or not the heap's, does nothing.
inline constexpr std::size_t kFetchAhead = 4096 + 512, kFetchedLine = 64, kMostFetched = 1024;

PERFLOC_INLINE void fetch_ahead(const char* cursor, std::size_t bytes) {
    std::size_t most = kFetchedLine;
    if (__builtin_constant_p(bytes)) most = bytes < kMostFetched ? bytes : kMostFetched;
#ifndef __clang__
#pragma GCC unroll 16
#endif
    for (std::size_t at = 0; at < most; at += kFetchedLine) __builtin_prefetch(cursor + kFetchAhead + at, 1);
}

/// `bytes` includes the header and is a multiple of a word; at least two words, so that an object's address is in its
/// own span.
PERFLOC_INLINE void* allocate(std::size_t bytes, Header header) {
    char* const start = hot.cursor;
    if (static_cast<std::size_t>(hot.limit - start) < bytes) [[unlikely]]
        return allocate_slow(bytes, header);
    fetch_ahead(start, bytes);
    hot.cursor = start + bytes;
    *reinterpret_cast<Header*>(start) = header;
    return start + kHeaderBytes;
}

/// Where an object is made: in the current region, which is known without a look, or in a given one.
struct InCurrent {
    static RegionHot& region() { return *hot.region; }
};
struct InRegion {
    RegionHot& region_;
    RegionHot& region() const { return region_; }
};

/// Memory for one object of T (and what is behind it), by T's and the object's needs.
template <class T, class Where>
PERFLOC_INLINE void* allocate_for(Where where, std::size_t bytes, Header header) {
    if constexpr (!may_move<T>) {
        return allocate_pinned(where.region(), bytes, alignof(T), header);
    } else if constexpr (std::is_same_v<Where, InCurrent>) {
        if (bytes > kLargeBytes) return allocate_slow(bytes, header);  // known where the size is
        return allocate(bytes, header);
    } else {
        return allocate_in(where.region(), bytes, header);
    }
}

/// Memory whose constructor has not finished is a filler: it may be walked over, and is left as one when the constructor
/// throws. law [quiet]: meanwhile polls do nothing, and neither the region's scope nor the current one can end.
class Construction {
public:
    Construction(RegionHot& region, void* object, std::size_t bytes, Header header) noexcept
        : region_(region), current_(hot.region), object_(object), bytes_(bytes), header_(header) {
        header_of(object) = make_header(kFillerType, bytes / kWordBytes);
        ++hot.quiet;
        hold(region);
        hold(*current_);  // an argument may be an address in it
        // A field that the constructor does not come to is a null reference to abandon_object(). To the compiler nothing that stood here
        // before an object's construction matters to it: hence the barrier.
        std::memset(object, 0, bytes - kHeaderBytes);
        asm volatile("" : : "r"(object) : "memory");
    }
    Construction(const Construction&) = delete;
    Construction& operator=(const Construction&) = delete;
    void finished() noexcept {
        header_of(object_) = header_;
        finished_ = true;
    }
    ~Construction() {
        if (hot.region != current_) [[unlikely]]
            other_scope_left(header_);
        --hot.quiet;
        let_go(region_);
        let_go(*current_);
        if (!finished_) abandon_object(object_, bytes_, header_);
    }

private:
    static void hold(RegionHot& region) noexcept {
        if (region.constructing++ == 0) region.attention |= kConstructingBit;  // its end is refused
    }
    static void let_go(RegionHot& region) noexcept {
        if (--region.constructing == 0) region.attention &= ~kConstructingBit;
    }

    RegionHot& region_;
    RegionHot* current_;
    void* object_;
    std::size_t bytes_;
    Header header_;
    bool finished_ = false;
};

// --- arguments -------------------------------------------------------------------------------------------------------

template <class T>
inline constexpr bool is_strong = false;
template <class T>
inline constexpr bool is_strong<Handle<T>> = true;
template <class T>
inline constexpr bool is_strong<GlobalHandle<T>> = true;
template <class T>
inline constexpr bool is_strong<Pin<T>> = true;

/// To initialise a field from it runs no code of the user's: another class may have a conversion, which may do anything.
template <class A>
inline constexpr bool quiet_argument =
    std::is_scalar_v<std::remove_cvref_t<A>> || is_ref<std::remove_cvref_t<A>> || is_strong<std::remove_cvref_t<A>>;

/// What stands for a reference among the arguments of make() is handed on as its target.
template <class A>
PERFLOC_INLINE decltype(auto) hand_on(A&& argument) {
    using P = std::remove_cvref_t<A>;
    if constexpr (is_ref<P> || is_strong<P>) {
        return Unchecked<std::remove_pointer_t<decltype(argument.get())>>{argument.get()};
    } else if constexpr (std::is_pointer_v<P>) {
        if constexpr (is_managed_pointer<P>()) {
            return Unchecked<std::remove_pointer_t<P>>{argument};
        } else {
            return static_cast<A&&>(argument);
        }
    } else {
        return static_cast<A&&>(argument);
    }
}

template <class A>
inline constexpr bool is_unchecked = false;
template <class T>
inline constexpr bool is_unchecked<Unchecked<T>> = true;

/// How far apart object and target are: below the size of the span that the object is in, they share the span. Null is
/// near everything.
template <class A>
PERFLOC_INLINE std::uintptr_t apart(const void* object, const A& argument) {
    if constexpr (is_unchecked<A>) {
        const auto target = reinterpret_cast<std::uintptr_t>(argument.target);
        return target != 0 ? target ^ reinterpret_cast<std::uintptr_t>(object) : 0;
    } else {
        return 0;
    }
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/// Builds an aggregate from arguments that were handed on: its references are stored unchecked. build_checked: its initial references are checked together: one compare
/// says that all are in the object's own span.
template <class T, class... Args>
PERFLOC_INLINE T* build_aggregate(void* memory, Args&&... args) {
    return ::new (memory) T{static_cast<Args&&>(args)...};
}
template <class T, class... Args>
PERFLOC_INLINE T* build_checked(void* memory, bool in_current_span, Args&&... args) {
    T* object = build_aggregate<T>(memory, static_cast<Args&&>(args)...);
    if constexpr ((is_unchecked<std::remove_cvref_t<Args>> || ...)) {
        const std::uintptr_t distance = (apart(memory, args) | ...);
        if (!in_current_span || distance >= hot.span_bytes) [[unlikely]]
            check_new_object(memory);
    }
    return object;
}

#pragma GCC diagnostic pop

/// More than any reservation, and less than the header's count can say.
inline constexpr std::size_t kMostExtraBytes = std::size_t{1} << 42;

/// Makes one object. `extra` bytes of storage follow it.
template <class T, class Where, class... Args>
PERFLOC_INLINE T* make_object(Where where, std::size_t extra, Args&&... args) {
    constexpr std::size_t own = kHeaderBytes + round_to_words(sizeof(T));
    if (extra > kMostExtraBytes) [[unlikely]]
        bad_length(type_name<T>(), static_cast<std::int64_t>(extra), false);
    const std::size_t bytes = own + round_to_words(extra);
    const Header header = header_for<T>() + (std::uint64_t{(bytes - own) / kWordBytes} << kCountShift);
    if constexpr (constructs_quietly<T>() && (quiet_argument<Args> && ...)) {
        void* const memory = allocate_for<T>(where, bytes, header);
        const bool in_current_span = may_move<T> && std::is_same_v<Where, InCurrent> && bytes <= kLargeBytes;
        return build_checked<T>(memory, in_current_span, hand_on(static_cast<Args&&>(args))...);
    } else {
        void* const memory = allocate_for<T>(where, bytes, header);
        Construction construction(where.region(), memory, bytes, header);
        T* object;
        if constexpr (std::is_aggregate_v<T>) {
            object = build_aggregate<T>(memory, hand_on(static_cast<Args&&>(args))...);
        } else {
            object = ::new (memory) T(static_cast<Args&&>(args)...);
        }
        construction.finished();
        // Now that the header says where they are. (Refs of other classes are checked as they are constructed.)
        if constexpr (std::is_aggregate_v<T> && HoldsRef<T>::value) check_new_object(object);
        if constexpr (!std::is_trivially_destructible_v<T>) add_cleanup(where.region(), object);
        return object;
    }
}

/// Makes one object from what `function` returns, in place: guaranteed elision, nothing is copied.
template <class T, class Where, class Function>
inline T* make_object_with(Where where, std::size_t extra, Function&& function) {
    constexpr std::size_t own = kHeaderBytes + round_to_words(sizeof(T));
    if (extra > kMostExtraBytes) [[unlikely]]
        bad_length(type_name<T>(), static_cast<std::int64_t>(extra), false);
    const std::size_t bytes = own + round_to_words(extra);
    const Header header = header_for<T>() + (std::uint64_t{(bytes - own) / kWordBytes} << kCountShift);
    void* const memory = allocate_for<T>(where, bytes, header);
    Construction construction(where.region(), memory, bytes, header);
    T* object = ::new (memory) T(static_cast<Function&&>(function)());
    construction.finished();
    if constexpr (!std::is_trivially_destructible_v<T>) add_cleanup(where.region(), object);
    return object;
}

// --- arrays ----------------------------------------------------------------------------------------------------------

/// The bytes of an array of `length` elements, or a LengthError.
template <class T, class Length>
PERFLOC_INLINE std::size_t array_bytes(Length length) {
    static_assert(std::is_integral_v<Length>);
    if constexpr (std::is_signed_v<Length>) {
        if (length < 0) [[unlikely]]
            bad_length(type_name<Array<T>>(), static_cast<std::int64_t>(length), true);
    }
    const auto n = static_cast<std::uint64_t>(length);
    constexpr std::uint64_t most =
        kCountMask < (std::uint64_t{1} << 46) / sizeof(T) ? kCountMask : (std::uint64_t{1} << 46) / sizeof(T);
    if (n > most) [[unlikely]]
        bad_length(type_name<Array<T>>(), static_cast<std::int64_t>(length), false);
    const std::size_t bytes = kHeaderBytes + round_to_words(n * sizeof(T));
    return bytes < 2 * kWordBytes ? 2 * kWordBytes : bytes;
}

/// `quiet_fill`: filling it runs no code of the user's but T's constructor.
template <class T, bool quiet_fill = true, class Where, class Length, class Fill>
inline Array<T>* make_array_object(Where where, Length length, Fill&& fill) {
    const std::size_t bytes = array_bytes<T>(length);
    const auto n = static_cast<std::size_t>(length);
    const Header header = array_header_for<T>() + (static_cast<std::uint64_t>(n) << kCountShift);
    void* const memory = allocate_for<T>(where, bytes, header);
    T* const elements = static_cast<T*>(memory);
    if constexpr (quiet_fill && (constructs_quietly<T>() || is_ref<T> || std::is_scalar_v<T>)) {
        fill(elements, n);
    } else {
        Construction construction(where.region(), memory, bytes, header);
        fill(elements, n);
        construction.finished();
        if constexpr (!std::is_trivially_destructible_v<T>) add_cleanup(where.region(), memory);
    }
    return reinterpret_cast<Array<T>*>(memory);
}

}  // namespace perfloc::detail
