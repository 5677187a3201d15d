#pragma once

#include <perfloc/perfloc.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "prng.hpp"

namespace bench {

// Objects of 24 to 48 bytes with their header, in chains. The object at place i of its chain has i % 4 words behind it,
// the first of which is its number and the second that of the object that `back` refers to: so a walk can check it.
struct Link {
    perfloc::Ref<Link> next, back;
};

// Of the outer scope: the other way by which it refers to a chain.
struct Holder {
    perfloc::Ref<Link> chain;
};

// Which chains there are and which of them escape. Lengths are powers of two, from 1 to 4096. They are made sixteen at
// a time: either one after another, so that spans are dense or dead, or all at once, so that spans hold some of each.
class ChainPlan {
public:
    struct Chain {
        std::uint32_t length;
        bool escapes;
    };
    using Group = std::vector<Chain>;
    static constexpr std::size_t kGroup = 16;

    ChainPlan(perfloc::Bytes bytes, double share);

    const std::vector<Group>& groups() const { return groups_; }
    std::size_t escaping_chains() const { return escaping_chains_; }
    std::size_t escaping_bytes() const { return escaping_bytes_; }
    static bool at_once(std::size_t group) { return group % 2 != 0; }

private:
    std::vector<Group> groups_;
    std::size_t escaping_chains_ = 0, escaping_bytes_ = 0;
};

// The heads of the chains that escape: half in one large array, half each in a small object of the outer scope. Made in
// the current scope, and used by its mutator.
class ChainTable {
public:
    explicit ChainTable(std::size_t chains);

    // Makes the plan's objects in the current scope. The chains that escape take the next places of the table; where it
    // is full, the places of those that came first, which are dropped. No safepoint.
    void make_chains(const ChainPlan& plan);
    // Work on the outer graph and on what escaped, in which every object stays alive: swaps two slots, swaps the ends
    // of two chains, replaces a holder. Allocates in the current scope. No safepoint.
    void relink(Prng& random);
    // The sum over all objects of the table, wherever they are. Ends the process where a reference leads to another
    // object than it should.
    std::uint64_t check() const;

private:
    perfloc::Ref<Link>& slot(std::size_t chain) const;

    std::size_t chains_, used_ = 0;
    std::uint64_t numbers_ = 0;
    perfloc::Handle<perfloc::Array<perfloc::Ref<Link>>> direct_;
    perfloc::Handle<perfloc::Array<perfloc::Ref<Holder>>> holders_;
};

}  // namespace bench
