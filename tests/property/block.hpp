// A block of a heap program: a scope, or a detached scope that is entered, as a block of C++ that may be unwound.
#pragma once

#include "interpreter.hpp"

#include <exception>

namespace perfloc::property {

class Interpreter::Block {
public:
    Block(Interpreter& in, const Op& op) : in_(in), number_(in.world_.next_scope()) {
        static constexpr Label kLabels[] = {"request", "frame", "phase"};
        if (op.a % 4 == 3) {
            scope_.emplace();
        } else {
            scope_.emplace(kLabels[op.a % 4]);
        }
        in.world_.begin_scope();
        if (op.b % 4 == 0) scope_->expect(Bytes{op.b} * 512);
        in.blocks_.push_back(this);
    }
    Block(Interpreter& in, const Op&, Detached& detached)
        : in_(in), number_(detached.number), detached_(&detached), enter_(std::in_place, *detached.scope) {
        detached.entered = true;
        in.blocks_.push_back(this);
    }
    ~Block() {
        in_.blocks_.pop_back();
        if (no_pause_ && !over_the_end_) allow_pauses();
        if (detached_ != nullptr) {
            enter_.reset();
            detached_->entered = false;
        } else {
            end_scope();
        }
        if (no_pause_) allow_pauses();
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    ScopeNumber number() const { return number_; }
    Scope* scope() { return scope_ ? &*scope_ : nullptr; }
    Detached* detached() { return detached_; }
    void keep() {
        scope_->keep();
        kept_ = true;
    }
    /// Until its end, or over it.
    bool forbid_pauses(Bytes bytes, bool over_the_end) {
        if (no_pause_) return false;
        try {
            no_pause_.emplace(bytes);
        } catch (const OutOfMemory&) {
            return in_.census_.count(Event::out_of_memory), true;
        }
        in_.world_.forbid_pauses(+1);
        over_the_end_ = over_the_end;
        return true;
    }
    /// It is to be ended by end(), before its brace.
    void end_early() { early_ = true; }

private:
    void allow_pauses() {
        no_pause_.reset();
        in_.world_.forbid_pauses(-1);
    }
    void end_scope() {
        World& world = in_.world_;
        world.before_end(number_, false, kept_);
        if (early_) {
            const ScopeReport report = scope_->end();
            world.expect(!report.settled || report.released_bytes + report.promoted_bytes == report.allocated_bytes,
                         "a report does not add up");
            in_.must_throw<ScopeError>("a scope is ended twice", [&] { scope_->end(); });
            in_.census_.count(Event::ended_early);
        }
        scope_.reset();
        world.after_end(std::uncaught_exceptions() > exceptions_);
    }

    Interpreter& in_;
    ScopeNumber number_;
    std::optional<Scope> scope_;
    Detached* detached_ = nullptr;
    std::optional<DetachedScope::Enter> enter_;
    bool kept_ = false;
    bool early_ = false;
    std::optional<NoPause> no_pause_;
    bool over_the_end_ = false;
    int exceptions_ = std::uncaught_exceptions();
};

template <class Error, class F>
void Interpreter::must_throw(const char* what, F&& f) {
    try {
        f();
    } catch (const Error&) {
        return;
    }
    world_.fail(std::string("no error: ") + what);
}

}  // namespace perfloc::property
