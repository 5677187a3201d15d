// What a heap program's heap should be like: a plain graph, in which nothing ever moves or is freed.
#pragma once

#include "types.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace perfloc::property {

/// Scopes are numbered in the order in which they begin; the root scope is 0.
using ScopeNumber = std::uint32_t;
inline constexpr ScopeNumber kRootScope = 0;
inline constexpr ScopeNumber kElsewhere = ~ScopeNumber{0};    ///< its scope has ended, and it was promoted
inline constexpr std::uint64_t kSettled = ~std::uint64_t{0};  ///< no poll

struct Node {
    Kind kind{};
    std::uint64_t value = 0;
    std::vector<Id> edges;
    ScopeNumber home = kRootScope;  ///< the scope that it lives in
    std::uint64_t finished = 0;     ///< when its constructor had finished; 0: it threw, and the node is a filler
    bool destroyed = false;         ///< its destructor has run
    bool doomed = false;            ///< nothing held it when its scope ended; it is dead when that is settled
    bool dead = false;              ///< it must not be seen any more
    ScopeNumber born = kRootScope;  ///< the scope that it was made in
    std::uint64_t left = kSettled;  ///< the last poll before its scope ended, if that was not settled at once
};

/// The nodes of a program, and what can be reached from where.
class Model {
public:
    /// Which nodes something holds, by number.
    using Set = std::vector<bool>;

    Model() : nodes_(1) {}

    Id add(Kind kind, std::uint64_t value, ScopeNumber home);
    void finish(Id id) { nodes_[id].finished = ++finished_; }
    Node& operator[](Id id) { return nodes_[id]; }
    const Node& operator[](Id id) const { return nodes_[id]; }
    Id count() const { return static_cast<Id>(nodes_.size()); }  ///< ids are below it

    /// All that is reachable from these.
    Set reachable(const std::vector<Id>& roots) const;
    /// What may survive the end of a scope: all that is reachable from these, and from any object that lives elsewhere
    /// and may exist, be it garbage; or, where the caller says so, even destroyed.
    Set reachable_from_outside(ScopeNumber scope, const std::vector<Id>& roots, bool destroyed) const;
    /// The living of an ended scope now live elsewhere; `poll` is the last one so far, if they are not settled yet.
    void move_out(ScopeNumber scope, std::uint64_t poll);
    /// It was found alive, or the collector may have been led to think so: with all that it reaches, it is not doomed.
    void spare(Id id);

private:
    Set closure(std::vector<Id> pending) const;

    std::vector<Node> nodes_;
    std::uint64_t finished_ = 0;
};

}  // namespace perfloc::property
