#pragma once

#include <perfloc/detail/handle_list.hpp>
#include <perfloc/ref.hpp>

#include <cassert>
#include <compare>
#include <cstddef>
#include <utility>

namespace perfloc {

namespace detail {

struct HandleAccess {
    template <class H>
    static HandleNode& node(H& handle) {
        return handle.node_;
    }
    template <class H>
    static const HandleNode& node(const H& handle) {
        return handle.node_;
    }
    /// A handle to an object made in the current region by this call.
    template <class T>
    static Handle<T> current(T* object) {
        return Handle<T>(JustMade{}, object);
    }
    struct JustMade {};
};

template <class U, class T>
inline void check_refers_as() {
    static_assert(CheckBase<U, T>::ok);
}

}  // namespace detail

/// A root of one mutator: keeps its object alive and follows it when it moves. May be copied, moved, returned and kept
/// in containers, by the mutator that made it; another mutator that links, copies, moves, assigns or drops it aborts
/// (in debug builds also one that dereferences it). One that outlives its mutator or its heap reads null. O(1), no
/// safepoint. Four words.
template <class T>
class Handle {
public:
    using element_type = T;

    Handle() noexcept = default;
    Handle(std::nullptr_t) noexcept {}  // NOLINT
    template <class U>
        requires detail::RefersAs<U, T>
    Handle(U* object) noexcept {  // NOLINT: a raw pointer that is still valid
        link(object);
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Handle(const Ref<U>& ref) noexcept {  // NOLINT
        link(ref.get());
    }
    Handle(const Handle& other) noexcept { detail::link_copy(node_, other.node_); }
    Handle(Handle&& other) noexcept { detail::link_move(node_, other.node_); }
    template <class U>
        requires detail::RefersAs<U, T>
    Handle(const Handle<U>& other) noexcept {  // NOLINT
        detail::check_refers_as<U, T>();
        detail::link_copy(node_, detail::HandleAccess::node(other));
    }
    ~Handle() { detail::unlink(node_); }

    Handle& operator=(const Handle& other) noexcept {
        if (this != &other) {
            detail::unlink(node_);
            detail::link_copy(node_, other.node_);
        }
        return *this;
    }
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            detail::unlink(node_);
            detail::link_move(node_, other.node_);
        }
        return *this;
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Handle& operator=(U* object) noexcept {
        detail::unlink(node_);
        link(object);
        return *this;
    }
    template <class U>
        requires detail::RefersAs<U, T>
    Handle& operator=(const Ref<U>& ref) noexcept {
        return *this = ref.get();
    }
    Handle& operator=(std::nullptr_t) noexcept {
        reset();
        return *this;
    }

    /// The object, or null. The pointer is valid as any raw pointer is; the handle stays valid.
    T* get() const noexcept {
        assert((node_.next == nullptr || node_.owner == detail::hot.mutator) && "a Handle is used by another mutator");
        return static_cast<T*>(node_.object);
    }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    explicit operator bool() const noexcept { return node_.object != nullptr; }
    void reset() noexcept { detail::unlink(node_); }

    friend bool operator==(const Handle& a, const Handle& b) noexcept { return a.node_.object == b.node_.object; }
    friend bool operator==(const Handle& a, const T* b) noexcept { return a.node_.object == b; }
    friend bool operator==(const Handle& a, std::nullptr_t) noexcept { return a.node_.object == nullptr; }

private:
    friend detail::HandleAccess;
    Handle(detail::HandleAccess::JustMade, T* object) noexcept { detail::link_current(node_, object); }
    template <class U>
    void link(U* object) noexcept {
        detail::check_refers_as<U, T>();
        if (object != nullptr) detail::link_handle(node_, const_cast<std::remove_const_t<U>*>(object));
    }

    detail::HandleNode node_;
};

template <class T>
Handle(T*) -> Handle<T>;

/// Follows its object when it moves and does not keep it alive: lock() is null once the object is dead. Weak handles
/// are cleared before the destructors of the dead run. Stays with its mutator, as a Handle does.
template <class T>
class WeakHandle {
public:
    WeakHandle() noexcept = default;
    explicit WeakHandle(T* object) noexcept { link(object); }
    WeakHandle(const Handle<T>& handle) noexcept : WeakHandle(handle.get()) {}  // NOLINT
    WeakHandle(const WeakHandle& other) noexcept { detail::link_copy(node_, other.node_); }
    WeakHandle(WeakHandle&& other) noexcept { detail::link_move(node_, other.node_); }
    ~WeakHandle() { detail::unlink(node_); }
    WeakHandle& operator=(const WeakHandle& other) noexcept {
        if (this != &other) {
            detail::unlink(node_);
            detail::link_copy(node_, other.node_);
        }
        return *this;
    }
    WeakHandle& operator=(WeakHandle&& other) noexcept {
        if (this != &other) {
            detail::unlink(node_);
            detail::link_move(node_, other.node_);
        }
        return *this;
    }

    Handle<T> lock() const noexcept { return Handle<T>(static_cast<T*>(detail::read_weak(node_))); }
    bool expired() const noexcept { return detail::read_weak(node_) == nullptr; }
    void reset() noexcept { detail::unlink(node_); }

private:
    friend detail::HandleAccess;
    void link(T* object) noexcept {
        if (object != nullptr) detail::link_weak(node_, const_cast<std::remove_const_t<T>*>(object));
    }

    detail::HandleNode node_;
};

template <class T>
WeakHandle(const Handle<T>&) -> WeakHandle<T>;

/// A root that any thread may copy, move and drop. It keeps its object alive, counts as a referrer in the root scope,
/// and publishes its object's region. Each operation takes the heap's lock of global handles. To read the object, a
/// mutator makes a Handle of it: lock().
template <class T, bool weak>
class BasicGlobalHandle {
public:
    BasicGlobalHandle() noexcept = default;
    explicit BasicGlobalHandle(T* object) noexcept {
        if (object != nullptr) detail::link_global(node_, const_cast<std::remove_const_t<T>*>(object), weak);
    }
    explicit BasicGlobalHandle(const Handle<T>& handle) noexcept : BasicGlobalHandle(handle.get()) {}
    BasicGlobalHandle(const BasicGlobalHandle& other) noexcept { detail::copy_global(node_, other.node_); }
    BasicGlobalHandle(BasicGlobalHandle&& other) noexcept { detail::move_global(node_, other.node_); }
    ~BasicGlobalHandle() { detail::unlink_global(node_); }
    BasicGlobalHandle& operator=(const BasicGlobalHandle& other) noexcept {
        if (this != &other) {
            detail::unlink_global(node_);
            detail::copy_global(node_, other.node_);
        }
        return *this;
    }
    BasicGlobalHandle& operator=(BasicGlobalHandle&& other) noexcept {
        if (this != &other) {
            detail::unlink_global(node_);
            detail::move_global(node_, other.node_);
        }
        return *this;
    }

    /// A handle of the calling mutator to the object; null when there is none (any more).
    Handle<T> lock() const noexcept { return Handle<T>(get()); }
    /// The address as it is now, valid as a raw pointer of the calling mutator is.
    T* get() const noexcept { return static_cast<T*>(detail::read_global(node_)); }
    explicit operator bool() const noexcept { return get() != nullptr; }
    void reset() noexcept { detail::unlink_global(node_); }

private:
    friend detail::HandleAccess;
    detail::HandleNode node_;
};

template <class T>
class GlobalHandle : public BasicGlobalHandle<T, false> {
public:
    using BasicGlobalHandle<T, false>::BasicGlobalHandle;
    T* operator->() const noexcept { return this->get(); }
    T& operator*() const noexcept { return *this->get(); }
};
template <class T>
GlobalHandle(const Handle<T>&) -> GlobalHandle<T>;

template <class T>
class GlobalWeakHandle : public BasicGlobalHandle<T, true> {
public:
    using BasicGlobalHandle<T, true>::BasicGlobalHandle;
};
template <class T>
GlobalWeakHandle(const Handle<T>&) -> GlobalWeakHandle<T>;

/// A handle whose object does not move while it lives, not even in a poll: for I/O into an array, for an address that C
/// code keeps. Counted in the object's span, which is adopted and never evacuated or slid meanwhile. O(1).
template <class T>
class Pin {
public:
    explicit Pin(const Handle<T>& handle) noexcept : handle_(handle) {
        if (handle_) detail::pin_object(handle_.get());
    }
    explicit Pin(T* object) noexcept : Pin(Handle<T>(object)) {}
    Pin(const Pin& other) noexcept : Pin(other.handle_) {}
    Pin(Pin&& other) noexcept : handle_(std::move(other.handle_)) {}
    Pin& operator=(Pin other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Pin() {
        if (handle_) detail::unpin_object(handle_.get());
    }

    T* get() const noexcept { return handle_.get(); }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    const Handle<T>& handle() const noexcept { return handle_; }

private:
    Handle<T> handle_;
};

template <class T>
Pin(const Handle<T>&) -> Pin<T>;

// --- what Ref promised -----------------------------------------------------------------------------------------------

template <class T>
template <class U>
    requires detail::RefersAs<U, T>
Ref<T>::Ref(const Handle<U>& target) noexcept : Ref(target.get()) {}

template <class T>
template <class U>
    requires detail::RefersAs<U, T>
Ref<T>& Ref<T>::operator=(const Handle<U>& target) noexcept {
    return *this = target.get();
}

}  // namespace perfloc
