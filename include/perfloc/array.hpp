#pragma once

#include <perfloc/detail/object_header.hpp>
#include <perfloc/ref.hpp>

#include <compare>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

namespace perfloc {

namespace detail {

/// Iterates over the Refs of an array. Its values are plain pointers, since a Ref cannot leave the heap; assigning
/// through it runs the barrier. So std::sort, ranges::sort and range-for do the right thing.
template <class T>
class RefIterator {
public:
    using iterator_category = std::random_access_iterator_tag;
    using iterator_concept = std::random_access_iterator_tag;
    using value_type = T*;
    using difference_type = std::ptrdiff_t;
    using reference = Ref<T>&;
    using pointer = Ref<T>*;

    RefIterator() = default;
    explicit RefIterator(Ref<T>* slot) : slot_(slot) {}

    reference operator*() const { return *slot_; }
    pointer operator->() const { return slot_; }
    reference operator[](difference_type n) const { return slot_[n]; }
    RefIterator& operator++() { return ++slot_, *this; }
    RefIterator operator++(int) { return RefIterator(slot_++); }
    RefIterator& operator--() { return --slot_, *this; }
    RefIterator operator--(int) { return RefIterator(slot_--); }
    RefIterator& operator+=(difference_type n) { return slot_ += n, *this; }
    RefIterator& operator-=(difference_type n) { return slot_ -= n, *this; }
    friend RefIterator operator+(RefIterator a, difference_type n) { return a += n; }
    friend RefIterator operator+(difference_type n, RefIterator a) { return a += n; }
    friend RefIterator operator-(RefIterator a, difference_type n) { return a -= n; }
    friend difference_type operator-(RefIterator a, RefIterator b) { return a.slot_ - b.slot_; }
    friend bool operator==(RefIterator, RefIterator) = default;
    friend auto operator<=>(RefIterator, RefIterator) = default;
    friend T* iter_move(const RefIterator& a) { return a.slot_->get(); }
    friend void iter_swap(const RefIterator& a, const RefIterator& b) { swap(*a.slot_, *b.slot_); }

private:
    Ref<T>* slot_ = nullptr;
};

}  // namespace detail

/// A managed array: its length is fixed when it is made (make_array). The length is in the object's header, the elements
/// follow. Over 32 KiB it has a span of its own and never moves.
template <class T>
class Array {
public:
    using value_type = T;

    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    std::size_t size() const noexcept { return detail::header_count(detail::header_of(this)); }
    bool empty() const noexcept { return size() == 0; }
    T* data() noexcept { return reinterpret_cast<T*>(this); }
    const T* data() const noexcept { return reinterpret_cast<const T*>(this); }
    T& operator[](std::size_t i) noexcept { return data()[i]; }
    const T& operator[](std::size_t i) const noexcept { return data()[i]; }

    auto begin() noexcept { return iterator_at(0); }
    auto end() noexcept { return iterator_at(size()); }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + size(); }
    std::span<T> span() noexcept { return {data(), size()}; }

private:
    Array() = default;
    auto iterator_at(std::size_t i) noexcept {
        if constexpr (requires { typename T::element_type; } && std::is_same_v<T, Ref<typename RefTarget<T>::type>>) {
            return detail::RefIterator<typename T::element_type>(data() + i);
        } else {
            return data() + i;
        }
    }
    template <class U>
    struct RefTarget {
        using type = void;
    };
    template <class U>
    struct RefTarget<Ref<U>> {
        using type = U;
    };
};

}  // namespace perfloc

// A Ref and a plain pointer to the same type have the plain pointer in common.
template <class T, template <class> class TQual, template <class> class UQual>
struct std::basic_common_reference<perfloc::Ref<T>, T*, TQual, UQual> {
    using type = T*;
};
template <class T, template <class> class TQual, template <class> class UQual>
struct std::basic_common_reference<T*, perfloc::Ref<T>, TQual, UQual> {
    using type = T*;
};
