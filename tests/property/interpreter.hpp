// Runs a heap program on a heap and on a model of it, step by step.
#pragma once

#include "construct.hpp"
#include "program.hpp"
#include "world.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace perfloc::property {

/// Runs the program to its end, the heap's included. Says what was wrong first; empty: nothing was. Counts what it did.
std::string run(const Program& program, Census& census);

/// Called after each operation, where it is set: a scheduler of tests/schedule.
inline void (*between_operations)(World&) = nullptr;

class Interpreter final : private Builder {
public:
    Interpreter(const Program& program, Census& census);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    std::string run();

private:
    /// An exception that unwinds so many blocks.
    struct Unwind {
        std::size_t levels;
    };
    struct Detached {
        std::optional<DetachedScope> scope;
        ScopeNumber number = 0;
        bool entered = false;
    };
    class Block;

    // Blocks of C++: a scope, or a detached scope that is entered. Each may return a handle.
    Handle<Object> run_block();
    Handle<Object> close(const Op& op);
    template <class... Args>
    bool open(const Op& op, Args&... args);
    bool step(const Op& op);

    // Making objects.
    Plan plan_of(const Op& op);
    template <class Place>
    Roots::Pick make(Place&& place, Plan plan, ScopeNumber home);
    bool make(const Op& op);
    Roots::Pick make_in_some_scope(const Op& op);
    bool build(const Op& op);
    bool chain(const Op& op);
    bool fill(const Op& op);
    void make_pinned_in_detached(const Op& op);
    void while_built(Object* half_built, Link* links) override;

    // Edges, pointers and handles.
    bool link(const Op& op, bool null);
    bool swap_links(const Op& op);
    bool sort(const Op& op);
    bool take(unsigned slot, Roots::Pick pick);
    bool hold(unsigned slot, Roots::Pick pick);
    bool local_handles(const Op& op);
    bool weak_handles(const Op& op);
    bool global_handles(const Op& op);
    bool change_global_handles(const Op& op);
    bool pins(const Op& op);

    // Scopes and the mutator.
    bool begin_detached(const Op& op);
    bool end_detached(const Op& op);
    void end_some_detached(const Op& op);
    void end(Detached& detached, unsigned how);
    bool trim(const Op& op);
    void reset_local();
    void reattach(const Op& op);
    bool misuse(const Op& op);
    void finish();

    Roots::Pick pick(unsigned operand) { return world_.roots.pick(world_.model, operand); }
    ScopeNumber here() const;
    template <class Error, class F>
    void must_throw(const char* what, F&& f);

    const Program& program_;
    std::size_t next_ = 0;
    Census& census_;
    World world_;
    std::vector<Block*> blocks_;  // innermost last
    std::array<Detached, 4> detached_;

    // While an object is made:
    unsigned building_ = 0;    // what the constructor of a Built is to do
    Roots::Pick register_at_;  // ... the object that it registers itself at
    bool half_built_ = false;  // ... and whether it has begun
};

}  // namespace perfloc::property
