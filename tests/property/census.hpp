// How often each thing has happened in the programs that were run: a generator that never reaches one proves nothing.
#pragma once

#include "program.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace perfloc::property {

/// The ways in which a scope can end, and what else is to be reached.
enum class Event : std::uint8_t {
    released,          ///< a scope ended in O(1)
    promoted_inline,   ///< its survivors were copied out in the caller
    collected,         ///< it was marked and settled
    destructors_only,  ///< nothing of it survived, and destructors ran
    kept,              ///< merged into its parent, as keep() said
    adopted_at_limit,  ///< it had survivors and there was no room to move them
    merged,            ///< under a collector that does not listen
    unwound,           ///< ended by an exception
    ended_early,       ///< by end()
    detached_in_order,
    detached_out_of_order,
    outermost,  ///< the mutator detached
    poll_collected,
    constructor_threw,
    out_of_memory,
    destroyed,          ///< a destructor ran
    locked,             ///< a weak handle gave its object
    expired,            ///< a weak handle was null, its object dead
    condemned,          ///< a scope ended and is collected beside the program
    condemned_waiting,  ///< ... while another collection went on
    condemned_in_set,   ///< ... which looked at this very scope
    waiting_in_set,     ///< ... and was looked at with what was open, before its own collection
    frozen_early,       ///< open scopes that are collected were frozen because the program went on in them
    cycles,             ///< collections beside the program
    pressure_cycles,    ///< ... of open scopes
    spans_adopted,      ///< by them
    spans_evacuated,
    hole_pages,         ///< cut out of spans that stayed
    few_survived,       ///< little survived of a scope that is too large to be copied whole
    allocation_slices,  ///< that a collection was given where a scope took memory
    pending_destroyed,  ///< a destructor ran in another step than the end of its scope
    rested,             ///< all that had ended was settled
    adopted_meanwhile,  ///< a scope that began since open scopes are collected has spans that are older
};
inline constexpr std::size_t kEvents = 33;

inline constexpr std::array<std::string_view, kEvents> kEventNames = {"released",
                                                                      "promoted_inline",
                                                                      "collected",
                                                                      "destructors_only",
                                                                      "kept",
                                                                      "adopted_at_limit",
                                                                      "merged",
                                                                      "unwound",
                                                                      "ended_early",
                                                                      "detached_in_order",
                                                                      "detached_out_of_order",
                                                                      "outermost",
                                                                      "poll_collected",
                                                                      "constructor_threw",
                                                                      "out_of_memory",
                                                                      "destroyed",
                                                                      "locked",
                                                                      "expired",
                                                                      "condemned",
                                                                      "condemned_waiting",
                                                                      "condemned_in_set",
                                                                      "waiting_in_set",
                                                                      "frozen_early",
                                                                      "cycles",
                                                                      "pressure_cycles",
                                                                      "spans_adopted",
                                                                      "spans_evacuated",
                                                                      "hole_pages",
                                                                      "few_survived",
                                                                      "allocation_slices",
                                                                      "pending_destroyed",
                                                                      "rested",
                                                                      "adopted_meanwhile"};

struct Census {
    std::array<std::uint64_t, kOpcodes> done{};  ///< operations that found what to work on
    std::array<std::uint64_t, kEvents> events{};
    std::uint64_t ops = 0;
    std::uint64_t programs = 0;

    void count(Opcode code) { ++done[static_cast<std::size_t>(code)]; }
    void count(Event event) { ++events[static_cast<std::size_t>(event)]; }
    void count(Event event, std::uint64_t times) { events[static_cast<std::size_t>(event)] += times; }
    std::uint64_t of(Event event) const { return events[static_cast<std::size_t>(event)]; }
};

}  // namespace perfloc::property
