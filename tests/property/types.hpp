// The managed types that random heap programs are made of.
#pragma once

#include <perfloc/perfloc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace perfloc::property {

/// A node's number in the model, from 1; 0 is none.
using Id = std::uint32_t;

/// Each way in which an object can be treated: moved or pinned, with or without a destructor, small or large.
enum class Kind : std::uint32_t {
    pair,     ///< an aggregate of two Refs
    fan,      ///< an aggregate with an array of Refs, built by make_with
    named,    ///< a class with a std::string: pinned, with a destructor
    parcel,   ///< a class declared relocatable, with a destructor
    crate,    ///< an aggregate with a destructor
    busy,     ///< its destructor opens a scope, allocates and polls
    blob,     ///< with ExtraBytes behind it
    aligned,  ///< over-aligned
    cells,    ///< an Array of aggregates
    table,    ///< refers to an Array<Ref>, which has its edges
    numbers,  ///< an Array without Refs
    row,      ///< an Array whose elements have destructors
    built,    ///< its constructor makes another object, registers itself, polls, and may throw
};
inline constexpr std::uint32_t kKinds = 13;

/// What every object begins with, at offset 0: so a Ref<Object> may refer to any of them.
struct Object {
    Id id = 0;
    Kind kind{};
    std::uint64_t value = 0;
};

}  // namespace perfloc::property

template <>
inline constexpr bool perfloc::managed<perfloc::property::Object> = true;

namespace perfloc::property {

using Link = Ref<Object>;
using Links = Array<Link>;

/// Told of every destructor that runs. One program runs at a time.
class Witness {
public:
    virtual void destroyed(const Object& object) noexcept = 0;

protected:
    ~Witness() = default;
};
inline Witness* witness = nullptr;

/// An element of an array that was never given a number is of no interest.
inline void report_death(const Object& object) noexcept {
    if (object.id != 0 && witness != nullptr) witness->destroyed(object);
}

struct Pair {
    Object head;
    Link left, right;
};

struct Fan {
    Object head;
    std::array<Link, 4> ribs;
};

/// A text that is short for even values and long for odd ones; a short std::string points into itself.
inline std::string text_of(std::uint64_t value) {
    return value % 2 == 0 ? std::to_string(value % 1000) : "a text too long for its string: " + std::to_string(value);
}

class Named {
public:
    Named(Object head, Object* first, Object* second)
        : head_(head), first_(first), second_(second), text_(text_of(head.value)) {}
    ~Named() { report_death(head_); }
    void trace(Tracer& tracer) const { tracer(first_, second_); }
    Object* head() { return &head_; }
    Link& link(std::size_t i) { return i == 0 ? first_ : second_; }
    bool intact() const { return text_ == text_of(head_.value); }

private:
    Object head_;
    Link first_, second_;
    std::string text_;
};

class Parcel {
public:
    Parcel(Object head, Object* inside) : head_(head), inside_(inside), value_(new std::uint64_t(head.value)) {}
    /// What a destructor holds for a moment as well.
    ~Parcel() {
        report_death(head_);
        if (detail::hot.mutator != nullptr) const Handle<Object> moment(inside_);
    }
    void trace(Tracer& tracer) const { tracer(inside_); }
    Object* head() { return &head_; }
    Link& link() { return inside_; }
    bool intact() const { return *value_ == head_.value; }

private:
    Object head_;
    Link inside_;
    std::unique_ptr<std::uint64_t> value_;  // freed twice if two copies of a parcel were destroyed
};

struct Crate {
    Object head;
    Link inside;
    /// What a destructor overwrites is told to a collection that goes on or waits.
    ~Crate() {
        report_death(head);
        inside = nullptr;
    }
};

struct Busy {
    Object head;
    Link inside;
    ~Busy() {
        report_death(head);
        work();
    }

private:
    static void work() noexcept;
};

struct Blob {
    Object head;
    Link link;
    std::uint64_t size;
    unsigned char* bytes() { return reinterpret_cast<unsigned char*>(this + 1); }
};

struct alignas(64) Aligned {
    Object head;
    Link link;
};

struct Cell {
    Object head;  // of the first cell: the array's
    Link link;
};

struct Table {
    Object head;
    Ref<Links> links;
};

/// What a Built's constructor calls, half built as it is.
class Builder {
public:
    virtual void while_built(Object* half_built, Link* links) = 0;

protected:
    ~Builder() = default;
};

class Built {
public:
    Built(Object head, Object* first, Builder& builder) : head_(head), links_{first, nullptr} {
        builder.while_built(&head_, links_.data());
    }
    ~Built() { report_death(head_); }
    void trace(Tracer& tracer) const { tracer(links_); }
    Object* head() { return &head_; }
    Link& link(std::size_t i) { return links_[i]; }

private:
    Object head_;
    std::array<Link, 2> links_;
};

}  // namespace perfloc::property

template <>
inline constexpr bool perfloc::relocatable<perfloc::property::Parcel> = true;

namespace perfloc::property {

/// How many edges an object has, each of them, and whether what is beside the edges is as its value says.
std::size_t edge_count(Object* object);
Link& edge(Object* object, std::size_t i);
bool intact(Object* object);
/// Writes what intact() expects behind a blob.
void fill_behind(Blob& blob);
/// Whether objects of the kind have a destructor that is reported.
bool has_destructor(Kind kind);
/// What a made object is, by its name for reports.
const char* name_of(Kind kind);

}  // namespace perfloc::property
