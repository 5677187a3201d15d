#include "interpreter.hpp"

#include "block.hpp"

#include <chrono>
#include <utility>

namespace perfloc::property {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kDeepest = 12;
constexpr Label kBucket = "bucket";

}  // namespace

std::string run(const Program& program, Census& census) {
    ++census.programs;
    return Interpreter(program, census).run();
}

Interpreter::Interpreter(const Program& program, Census& census)
    : program_(program), census_(census), world_(program.setting, census) {}

Interpreter::~Interpreter() {
    for (Detached& detached : detached_) detached.scope.reset();
}

std::string Interpreter::run() {
    world_.attach();
    while (next_ < program_.ops.size() && !world_.failed()) run_block();
    finish();
    return world_.failure();
}

ScopeNumber Interpreter::here() const { return blocks_.empty() ? world_.outermost() : blocks_.back()->number(); }

/// Runs operations until one closes the innermost block.
Handle<Object> Interpreter::run_block() {
    while (next_ < program_.ops.size() && !world_.failed()) {
        const Op& op = program_.ops[next_++];
        ++census_.ops;
        bool done = true;
        switch (op.code) {
            case Opcode::open:
                done = blocks_.size() < kDeepest && open(op);
                break;
            case Opcode::enter: {
                Detached& detached = detached_[op.a % detached_.size()];
                done = detached.scope && !detached.entered && blocks_.size() < kDeepest;
                if (done) open(op, detached);
                break;
            }
            case Opcode::close:
                if (blocks_.empty()) break;
                census_.count(op.code);
                return close(op);
            case Opcode::throw_out:
                if (blocks_.empty()) break;
                census_.count(op.code);
                throw Unwind{1u + op.a % 4};
            case Opcode::reattach:
                if (!blocks_.empty()) {
                    --next_;
                    --census_.ops;
                    throw Unwind{blocks_.size()};
                }
                reattach(op);
                break;
            default:
                done = step(op);
                break;
        }
        if (done) census_.count(op.code);
        if (between_operations != nullptr) between_operations(world_);
    }
    world_.check();
    return {};
}

/// What the innermost block returns, and how it ends.
Handle<Object> Interpreter::close(const Op& op) {
    Block& block = *blocks_.back();
    if (op.b % 3 == 1 && block.scope() != nullptr) block.end_early();
    const Roots::Pick result = op.a % 2 != 0 ? pick(op.a / 2) : Roots::Pick{};
    world_.roots.returned.push_back(result.id);
    return Handle<Object>(result.object);
}

template <class... Args>
bool Interpreter::open(const Op& op, Args&... args) {
    const std::size_t returned = world_.roots.returned.size();
    const auto run = [&]() -> Handle<Object> {
        Block block(*this, op, args...);
        if (op.b % 4 != 0 && world_.collected_while_open()) end_some_detached(op);
        return run_block();
    };
    try {
        Handle<Object> result = run();
        if (world_.roots.returned.size() > returned) {
            const Id id = world_.roots.returned.back();
            world_.roots.returned.pop_back();
            if (id != 0) {
                auto& slot = world_.roots.handles[op.c % world_.roots.handles.size()];
                slot.handle = std::move(result);
                slot.id = id;
            }
        }
    } catch (Unwind& unwind) {
        if (--unwind.levels > 0 && !blocks_.empty()) throw;
    } catch (const OutOfMemory&) {
        census_.count(Event::out_of_memory);  // no room for one more region
    }
    return true;
}

bool Interpreter::step(const Op& op) {
    switch (op.code) {
        case Opcode::make:
        case Opcode::make_raw:
        case Opcode::make_in:
            return make(op);
        case Opcode::build:
            return build(op);
        case Opcode::chain:
            return chain(op);
        case Opcode::fill:
            return fill(op);
        case Opcode::link:
            return link(op, false);
        case Opcode::unlink:
            return link(op, true);
        case Opcode::swap_links:
            return swap_links(op);
        case Opcode::sort:
            return sort(op);
        case Opcode::take:
            return take(op.c, pick(op.a));
        case Opcode::hold:
            return hold(op.c, pick(op.a));
        case Opcode::copy:
        case Opcode::move:
        case Opcode::drop:
            return local_handles(op);
        case Opcode::weaken:
        case Opcode::copy_weak:
        case Opcode::lock:
            return weak_handles(op);
        case Opcode::globalise:
        case Opcode::copy_global:
        case Opcode::lock_global:
        case Opcode::drop_global:
            return global_handles(op);
        case Opcode::pin:
        case Opcode::unpin:
            return pins(op);
        case Opcode::keep:
            if (blocks_.empty() || blocks_.back()->scope() == nullptr) return false;
            blocks_.back()->keep();
            return true;
        case Opcode::detached:
            return begin_detached(op);
        case Opcode::end_detached:
            return end_detached(op);
        case Opcode::poll:
            return world_.poll(op.a % 2 != 0), true;
        case Opcode::collect:
            return world_.collect_full(), true;
        case Opcode::collect_until: {
            constexpr std::chrono::nanoseconds kTimes[] = {0ns, 2us, 50us, 60s};
            return world_.collect_until(kTimes[op.a % 4]), true;
        }
        case Opcode::trim:
            return trim(op);
        case Opcode::set_pauses:
            return world_.heap().set_pauses(pauses_of(static_cast<Setting::Budget>(op.a % Setting::kBudgets))), true;
        case Opcode::no_pause:
            if (blocks_.empty()) return false;
            return blocks_.back()->forbid_pauses(op.a % 2 != 0 ? op.a * 1_KiB : 0, op.b % 2 != 0);
        case Opcode::misuse:
            return misuse(op);
        default:
            return false;
    }
}

bool Interpreter::trim(const Op& op) {
    switch (op.a % 3) {
        case 0:
            return world_.heap().root().trim(), true;
        case 1: {
            Detached& detached = detached_[op.b % detached_.size()];
            if (!detached.scope) return false;
            return detached.scope->trim(), true;
        }
        default:
            if (blocks_.empty() || blocks_[op.b % blocks_.size()]->scope() == nullptr) return false;
            if (op.c % 2 == 0) make_pinned_in_detached(op);
            blocks_[op.b % blocks_.size()]->scope()->trim();
            if (op.c % 2 == 0) world_.poll(false);  // it begins
            return true;
    }
}

// --- detached scopes -------------------------------------------------------------------------------------------------

bool Interpreter::begin_detached(const Op& op) {
    Detached& detached = detached_[op.a % detached_.size()];
    if (detached.scope) return false;
    detached.scope.emplace(world_.heap(), kBucket);
    detached.number = world_.begin_scope();
    return true;
}

bool Interpreter::end_detached(const Op& op) {
    Detached& detached = detached_[op.a % detached_.size()];
    if (!detached.scope) return false;
    if (detached.entered) {
        must_throw<ScopeError>("a detached scope ends while it is entered", [&] { detached.scope->end(); });
    } else {
        end(detached, op.b);
        // What the end of the one has adopted goes on in what is kept: the two come together seldom otherwise.
        if (op.c % 4 == 0 && !blocks_.empty() && blocks_.back()->scope() != nullptr) blocks_.back()->keep();
    }
    return true;
}

/// In a scope that has begun while open scopes are collected: it adopts what survives and is older, and may be kept.
void Interpreter::end_some_detached(const Op& op) {
    for (unsigned i = 0; i < detached_.size(); ++i) {
        if (end_detached({Opcode::end_detached, static_cast<std::uint8_t>(op.c + i), op.b, op.a})) return;
    }
}

void Interpreter::end(Detached& detached, unsigned how) {
    bool in_order = blocks_.empty() || blocks_.back()->number() < detached.number;
    for (const Detached& other : detached_) in_order = in_order && (!other.scope || other.number <= detached.number);
    census_.count(in_order ? Event::detached_in_order : Event::detached_out_of_order);
    if (how % 4 == 1) world_.reset_raws();  // end_and_wait() is a safepoint
    world_.before_end(detached.number, true);
    if (how % 4 == 0) {
        detached.scope->end();
    } else if (how % 4 == 1) {
        const bool long_enough = how % 8 == 1;
        const ScopeReport report = detached.scope->end_and_wait(long_enough ? 60s : 0s);
        world_.expect(report.settled || !long_enough || !world_.may_pause(), "a detached scope is not settled");
    }
    detached.scope.reset();
    world_.after_end();
}

// --- the mutator -----------------------------------------------------------------------------------------------------

/// Detaches the mutator and attaches it again. Handles that it leaves behind read null.
void Interpreter::reattach(const Op& op) {
    if (op.a % 8 != 7) reset_local();
    world_.detach();
    must_throw<AttachError>("an object is made without a mutator", [] { make_raw<Pair>(); });
    if (Detached& detached = detached_[op.a % detached_.size()]; detached.scope) {
        must_throw<ScopeError>("a detached scope ends without a mutator", [&] { detached.scope->end(); });
    }
    global_handles({op.b % 2 != 0 ? Opcode::copy_global : Opcode::drop_global, op.a, op.b, op.c});
    reset_local();
    world_.attach();
}

void Interpreter::reset_local() {
    for (const auto& slot : world_.roots.weak) world_.touch_weak(slot.id);
    world_.roots.reset_local();
}

bool Interpreter::misuse(const Op& op) {
    Block* const innermost = blocks_.empty() ? nullptr : blocks_.back();
    switch (op.a % 6) {
        case 0: {
            Block* const outer = blocks_.size() < 2 ? nullptr : blocks_[blocks_.size() - 2];
            if (outer == nullptr || outer->scope() == nullptr || innermost->scope() == nullptr) return false;
            must_throw<ScopeError>("an outer scope ends before an inner one", [&] { outer->scope()->end(); });
            return true;
        }
        case 1:
            if (innermost == nullptr || innermost->detached() == nullptr) return false;
            must_throw<ScopeError>("a detached scope is entered twice",
                                   [&] { DetachedScope::Enter again(*innermost->detached()->scope); });
            return true;
        case 2:
            must_throw<LengthError>("an array has a negative length", [] { make_array<int>(-1); });
            return true;
        case 3:
            must_throw<ObjectTooLarge>("an array is larger than the limit",
                                       [] { make_array<std::uint64_t>(1u << 30); });
            return true;
        case 4:
            must_throw<AttachError>("a thread attaches twice", [&] { Mutator second(world_.heap()); });
            return true;
        default: {
            DetachedScope scope(world_.heap(), "misused");
            scope.end();
            must_throw<ScopeError>("a detached scope ends twice", [&] { scope.end(); });
            must_throw<ScopeError>("an object is made in an ended scope", [&] { scope.make<Pair>(); });
            must_throw<ScopeError>("an ended scope is entered", [&] { DetachedScope::Enter in(scope); });
            return true;
        }
    }
}

/// Ends what is open, and then the heap. All of it has to be given back, but for what stress modes hold in quarantine:
/// a quarter of the limit must fit in one object.
void Interpreter::finish() {
    for (Detached& detached : detached_) {
        if (detached.scope && !world_.failed()) end(detached, 2);
    }
    if (world_.failed()) return;
    if (program_.ops.size() % 2 == 0) world_.rest();
    reset_local();
    world_.detach();
    world_.roots.reset_global();
    world_.attach();
    world_.collect_full();
    try {
        // Only where the limit is low: touching that much memory would be most of the work.
        if (program_.setting.small)
            make_array<std::uint64_t>(world_.heap().stats().limit_bytes() / 4 / sizeof(std::uint64_t));
    } catch (const OutOfMemory& error) {
        world_.fail(std::string("an empty heap has no room: ") + error.what());
    }
    world_.detach();
    if (!world_.failed()) world_.check_end_of_heap();
}

}  // namespace perfloc::property
