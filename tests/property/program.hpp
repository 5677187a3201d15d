// A random heap program: a few options and a list of small operations, any bytes of which are a valid program.
#pragma once

#include <perfloc/options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perfloc::property {

/// What an operation does. Its operands a, b, c choose among what exists, modulo how many there are.
enum class Opcode : std::uint8_t {
    make,           ///< a: kind and size, b: what it refers to, c: handle
    make_raw,       ///< the same; c: plain pointer
    make_in,        ///< a: kind and size, b: what it refers to and where, c: handle
    build,          ///< a: what its constructor does, b: what it refers to, c: handle
    chain,          ///< a: length of a chain of plain pointers, c: handle
    fill,           ///< a: how many large arrays, b: their size, c: handle to the chain of them
    link,           ///< an edge c of object a refers to object b
    unlink,         ///< edge c of object a is null
    swap_links,     ///< an edge of a and one of b
    sort,           ///< the edges of table a
    take,           ///< a plain pointer to object a; c: plain pointer
    hold,           ///< handle c of object a
    copy,           ///< handle c = handle a
    move,           ///< handle c = std::move(handle a)
    drop,           ///< handles a to a + b % 4
    weaken,         ///< weak handle c of object a
    copy_weak,      ///< weak handle c = weak handle a, moved when b is odd
    lock,           ///< handle c = weak handle a
    globalise,      ///< global handle c of object a; weak when b is odd
    copy_global,    ///< global handle c = global handle a, moved or weak by b
    lock_global,    ///< handle c = global handle a; weak when b is odd
    drop_global,    ///< global handle c; weak when b is odd
    pin,            ///< pin c of object a
    unpin,          ///< pin c
    open,           ///< a scope; a: label, b: expected size, c: handle to what it returns; see end_some_detached()
    close,          ///< the innermost scope, or leaves the detached one; a: what it returns; b: how
    keep,           ///< the innermost scope
    throw_out,      ///< an exception unwinds 1 + a % 4 scopes
    detached,       ///< detached scope a begins, where there is none
    enter,          ///< detached scope a, until it is closed; c: handle to what is returned
    end_detached,   ///< detached scope a; b: how; c: the innermost scope is to be kept then
    poll,           ///< or idle_until, when a is odd
    collect,        ///< the whole heap
    collect_until,  ///< a: a deadline that has passed, one that is near, or rest
    trim,           ///< a, b: the root scope, a detached one or an open block; c: it begins at once
    set_pauses,     ///< a: which budget
    no_pause,       ///< until the innermost block ends; a: bytes
    reattach,       ///< all scopes are unwound and the mutator detached and attached; a: what is done meanwhile
    misuse,         ///< a: something that throws
};
inline constexpr std::size_t kOpcodes = 39;

struct Op {
    Opcode code{};
    std::uint8_t a = 0, b = 0, c = 0;

    friend bool operator==(const Op&, const Op&) = default;
};

/// The heap that a program runs in.
struct Setting {
    enum class Budget : std::uint8_t { tiny, brief, usual, large };
    static constexpr std::size_t kBudgets = 4;

    Collector collector = Collector::hinted;
    bool thread = false;   ///< the collector has a thread of its own
    bool move = false;     ///< stress: moves and poisons
    bool condemn = false;  ///< stress: every end is collected beside the program
    bool verify = false;   ///< stress: the verifier looks at each slice
    bool small = false;    ///< a limit that programs reach
    Budget budget = Budget::usual;

    Options options() const;
    /// What PERFLOC_STRESS is to be.
    std::string stress() const;
    friend bool operator==(const Setting&, const Setting&) = default;
};

struct Program {
    Setting setting;
    std::vector<Op> ops;

    /// As text that parse() reads: "hinted move small tiny: make 0 1 2; open 0 0 0; …".
    std::string text() const;
    /// Throws std::invalid_argument for what is no program.
    static Program parse(std::string_view text);
    /// Any bytes are a program: two of its setting, four of each operation.
    static Program decode(std::span<const std::uint8_t> bytes);
};

std::string_view name_of(Opcode code);
/// Each kind of operation as often as it is to be tried. Objects and edges are the most; scopes begin a little more often
/// than they end.
const std::vector<Opcode>& weighted_opcodes();
PauseBudget pauses_of(Setting::Budget budget);

}  // namespace perfloc::property
