#pragma once

#include <perfloc/detail/fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace perfloc {

/// To specialise as true for a class of yours that holds no reference to a managed object (neither a Ref nor a plain
/// pointer to one): it may then be a field of a managed aggregate. Standard strings, containers of such types, clocks
/// and the like are known already.
template <class T>
inline constexpr bool holds_no_refs = false;

/// To specialise as true for a class that may be moved by copying its bytes although it is not trivially copyable.
/// Without it such a class is pinned: it never moves, and its span is adopted when it survives.
template <class T>
inline constexpr bool relocatable = false;

/// To specialise as true for a type whose destructor may run on any thread.
template <class T>
inline constexpr bool free_threaded = false;

/// To specialise as true for a type without Refs that only lives in the heap: plain pointers to it in a managed object
/// then do not compile.
template <class T>
inline constexpr bool managed = false;

/// Learns where the Refs of a type are. A class that is not an aggregate names every Ref, unconditionally:
///
///     void trace(perfloc::Tracer& tracer) const { tracer(left_, right_); }
///
/// It is called once a type, before the first construction, on zeroed storage, and never while collecting; so it may
/// only name fields. What it may name: Ref, std::array and C arrays of what it may name, and classes with a trace().
class Tracer {
public:
    template <class... Fields>
    void operator()(const Fields&... fields) {
        (visit(fields), ...);
    }

    /// Offsets found, relative to the object that the tracer was made for.
    const std::vector<std::uint32_t>& offsets() const { return offsets_; }
    explicit Tracer(const void* object) : base_(static_cast<const std::byte*>(object)) {}

private:
    template <class T>
    void visit(const Ref<T>& field) {
        add(&field);
    }
    template <class T, std::size_t N>
    void visit(const std::array<T, N>& fields) {
        for (const T& field : fields) visit(field);
    }
    template <class T, std::size_t N>
    void visit(const T (&fields)[N]) {
        for (const T& field : fields) visit(field);
    }
    template <class T>
        requires requires(const T& t, Tracer& tracer) { t.trace(tracer); }
    void visit(const T& field) {
        field.trace(*this);
    }
    void add(const void* field) {
        offsets_.push_back(static_cast<std::uint32_t>(static_cast<const std::byte*>(field) - base_));
    }

    const std::byte* base_;
    std::vector<std::uint32_t> offsets_;
};

}  // namespace perfloc
