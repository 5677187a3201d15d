#pragma once

#include <perfloc/detail/hot.hpp>
#include <perfloc/label.hpp>
#include <perfloc/make.hpp>
#include <perfloc/units.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace perfloc {

/// What the end of a scope did. Bytes count headers.
struct ScopeReport {
    Bytes allocated_bytes = 0;
    Bytes released_bytes = 0;
    Bytes promoted_bytes = 0;          ///< survivors, copied or adopted
    bool constant_time = false;        ///< released in O(1): nothing outside could name anything in it
    bool settled = true;               ///< false: a collection beside the program goes on with it; bytes come later
    std::chrono::nanoseconds pause{};  ///< what it cost this thread; zero where it was O(1), which is not timed
};

namespace detail {

PERFLOC_COLD PERFLOC_API RegionHot* begin_scope_slow(Label label);
// A scope's own pointer is cleared before its end does anything: a destructor that runs meanwhile finds that it has ended.
PERFLOC_API void end_scope_slow(RegionHot* region) noexcept;
PERFLOC_API ScopeReport end_scope_now(RegionHot*& region);
PERFLOC_API void keep_scope(RegionHot& region) noexcept;
PERFLOC_API void expect_bytes(RegionHot& region, std::size_t bytes);
PERFLOC_API void trim_scope(RegionHot& region);
PERFLOC_API ScopeReport end_detached_and_wait(RegionHot*& region, std::chrono::nanoseconds timeout);
[[noreturn]] PERFLOC_COLD PERFLOC_API void ended_scope();  ///< throws ScopeError

}  // namespace detail

/// A lexical scope of the calling thread's mutator: objects made while it is the innermost one live in its region. Its
/// destructor is the hint "probably garbage now": the region is released in O(1) when nobody outside can name anything
/// in it; otherwise what is still reachable is promoted, and the raw pointers into it end. Ends in the reverse order of
/// begin; another order aborts and names the label. Neither begin nor end is a safepoint.
class Scope {
public:
    /// Throws AttachError on a thread without a mutator. O(1), a few nanoseconds; no system call once warm.
    explicit Scope(Label label = std::source_location::current()) {
        detail::RegionHot* const parent = detail::hot.region;
        detail::RegionHot* const child = parent->spare;
        if (child != nullptr && child->label == label) [[likely]] {
            parent->cursor = detail::hot.cursor;
            detail::hot.cursor = child->start;
            detail::hot.limit = child->limit;
            detail::hot.span_bytes = child->span_bytes;
            detail::hot.region = child;
            region_ = child;
        } else {
            region_ = detail::begin_scope_slow(label);
        }
    }
    ~Scope() {
        detail::RegionHot* const region = region_;
        if (region == detail::hot.region && region->attention == 0 && region->handles.next == &region->handles)
            [[likely]] {
            region->counters->fast_ended += 1;
            region->counters->fast_bytes += static_cast<std::size_t>(detail::hot.cursor - region->start);
            detail::RegionHot* const parent = region->parent;
            detail::hot.cursor = parent->cursor;
            detail::hot.limit = parent->limit;
            detail::hot.span_bytes = parent->span_bytes;
            detail::hot.region = parent;
        } else if (region != nullptr) {
            region_ = nullptr;
            detail::end_scope_slow(region);
        }
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    /// Makes the end a merge into the parent, in O(1) and without looking: for a phase whose results all survive.
    void keep() { detail::keep_scope(region()); }
    /// Sizes the first span for so many bytes. Useful before the first allocation. Throws ScopeError where the calling thread's
    /// mutator is another heap's.
    void expect(Bytes bytes) { detail::expect_bytes(region(), bytes); }
    /// Asks for a collection of the scope, with all that it encloses, while it stays open; starts at the next poll.
    void trim() { detail::trim_scope(region()); }
    /// Ends the scope before the brace does. Throws ScopeError when it has ended, or is not the innermost one.
    ScopeReport end() { return detail::end_scope_now(region_); }

private:
    friend detail::RegionOf;
    detail::RegionHot& region() {
        if (region_ == nullptr) [[unlikely]]
            detail::ended_scope();
        return *region_;
    }

    detail::RegionHot* region_;
};

/// A heap's root scope: it never ends and encloses every other. Data that several threads share lives there. See
/// Heap::root().
class RootScope {
public:
    explicit RootScope(detail::RegionHot& region) : region_(&region) {}
    /// Asks for a collection of the whole heap beside the program; starts at the next poll.
    void trim() { detail::trim_scope(*region_); }

private:
    friend detail::RegionOf;
    detail::RegionHot& region() { return *region_; }

    detail::RegionHot* region_;
};

namespace detail {

struct HeapCore;
PERFLOC_API RegionHot* begin_detached(Heap& heap, Label label);
PERFLOC_API ScopeReport end_detached(RegionHot*& region);
PERFLOC_API void abandon_detached(RegionHot*& region) noexcept;
PERFLOC_API void enter_detached(RegionHot* region, RegionHot** before);
PERFLOC_API void leave_detached(RegionHot* region, RegionHot* before) noexcept;

}  // namespace detail

/// A scope that is no part of the lexical nest: ended in any order. A request that crosses callbacks, a bucket of a
/// queue, a coroutine. Its survivors go to the current scope of the mutator whose handle holds them.
class DetachedScope {
public:
    /// O(1). Throws OutOfMemory where the heap has no room for one more region, and AttachError on another thread than its
    /// mutator's, where it has one.
    explicit DetachedScope(Heap& heap, Label label = std::source_location::current())
        : region_(detail::begin_detached(heap, label)) {}
    /// Ends it, unless end() did. Aborts while it is entered, and on a thread that is not the heap's mutator.
    ~DetachedScope() {
        if (region_ != nullptr) detail::abandon_detached(region_);
    }
    DetachedScope(const DetachedScope&) = delete;
    DetachedScope& operator=(const DetachedScope&) = delete;

    template <class T, class... Args>
    Handle<T> make(Args&&... args) {
        return Handle<T>(make_raw<T>(static_cast<Args&&>(args)...));
    }
    template <class T, class... Args>
    T* make_raw(Args&&... args) {
        return make_raw_in<T>(*this, static_cast<Args&&>(args)...);
    }
    template <class T, class Length, class... Value>
    Handle<Array<T>> make_array(Length length, const Value&... value) {
        return make_array_in<T>(*this, length, value...);
    }

    /// Ends the scope. Throws ScopeError when it has ended or is entered.
    ScopeReport end() { return detail::end_detached(region_); }
    /// Ends the scope and waits until its survivors are settled, no longer than `timeout` (then `settled` is false). A
    /// safepoint, and one long pause: that is what the caller asks for. Where there may be none (under a NoPause, in constructors
    /// and destructors) it does not wait.
    template <class Rep, class Period>
    ScopeReport end_and_wait(std::chrono::duration<Rep, Period> timeout) {
        constexpr std::chrono::hours most{24 * 365};  // as nanoseconds, more might be no number
        const bool longer = timeout > most;
        return detail::end_detached_and_wait(
            region_, longer ? most : std::chrono::duration_cast<std::chrono::nanoseconds>(timeout));
    }
    /// Asks for a collection of the scope while it stays open; starts at the next poll.
    void trim() { detail::trim_scope(region()); }
    bool ended() const noexcept { return region_ == nullptr; }

    /// Makes the scope the innermost one of the calling mutator while it lives. One at a time: ScopeError when the scope
    /// is entered already, or has ended.
    class Enter {
    public:
        explicit Enter(DetachedScope& scope) : region_(scope.region_) { detail::enter_detached(region_, &before_); }
        ~Enter() { detail::leave_detached(region_, before_); }
        Enter(const Enter&) = delete;
        Enter& operator=(const Enter&) = delete;

    private:
        detail::RegionHot* region_;
        detail::RegionHot* before_ = nullptr;
    };

private:
    friend detail::RegionOf;
    detail::RegionHot& region() {
        if (region_ == nullptr) [[unlikely]]
            detail::ended_scope();
        return *region_;
    }

    detail::RegionHot* region_;
};

}  // namespace perfloc
