#include "gc/collectors.hpp"

#include "gc/cycle/engine.hpp"
#include "gc/full_collection.hpp"
#include "gc/policy/pacer.hpp"
#include "gc/policy/scope_end_policy.hpp"
#include "gc/pressure.hpp"
#include "gc/scope_collection.hpp"
#include "gc/sweep/destructors.hpp"
#include "gc/verify/stack_watch.hpp"
#include "gc/verify/verifier.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"
#include "runtime/condemned.hpp"
#include "runtime/handles.hpp"
#include "runtime/scope_tree.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>

namespace perfloc::gc {

namespace {

/// One engine; the collectors differ in when the whole heap is collected, and in whether scopes have regions to collect.
class Collectors final : public detail::CollectorInterface {
public:
    explicit Collectors(HeapCore& heap)
        : heap_(heap),
          marks_(heap.memory),
          scopes_(heap, marks_, phase_),
          whole_(heap, marks_, phase_),
          pacer_(heap.options.pauses),
          engine_(heap, heap.options.collector_thread && heap.listens()) {
        if (heap.listens()) scopes_.get_ahead();
    }

    void end_scope(Region& ended, Region& enclosing, ScopeReport& report) noexcept override {
        // Whoever ends it is a constructor, the conversion of an argument, or a destructor: what is being made may hold raw addresses in it,
        // which are recorded when it is made.
        const bool in_making = ended.detached && detail::hot.quiet != 0;
        const bool waits = detail::is_source(heap_, ended) || in_making;
        if (waits || !at_once(ended)) {
            if (!waits && !heap_.stress.condemn && scopes_.run_if_few(ended, enclosing, report)) return took(report);
            // Such an end has taken its time: to look in vain, or to begin a collection.
            slice_may_wait_ = report.pause.count() != 0 || !engine_.active();
            pacer_.spent(report.pause);
            condemn(ended, enclosing);
            report.settled = false;
            return;
        }
        if (phase_.now() == Phase::idle) {
            scopes_.run(ended, enclosing, report);
            return took(report);
        }
        // A destructor of a dying set ended a scope: that one's spans are its own, and so are its marks.
        PhaseOwner phase(heap_.events);
        ScopeCollection nested(heap_, marks_, phase);
        nested.run(ended, enclosing, report);
    }

    void condemn(Region& ended, Region& enclosing) noexcept override {
        // Not in the middle of a collection in the caller, whose destructors may end scopes.
        if (engine_.phase() == CyclePhase::idle) engine_.hold(waits_for_poll() || phase_.now() != Phase::idle);
        engine_.condemn(ended, enclosing);
    }

    void freeze(Region& region) noexcept override { engine_.freeze_early(region); }

    void attend() noexcept override {
        // law [progress]: not twice in a row.
        const bool wait = std::exchange(slice_may_wait_, false) && !slice_waited_;
        slice_waited_ = wait;
        if (wait || detail::hot.quiet != 0 || no_pause()) return engine_.answer();  // law [quiet]
        paced_slice(Occasion::scope);
    }

    void attend_allocation() noexcept override {
        const CyclePhase phase = engine_.phase();
        if (phase == CyclePhase::agree) return engine_.answer();
        if (detail::hot.quiet != 0 || no_pause() || (is_collectors(phase) && engine_.has_thread()))
            return;  // law [quiet]
        if ((phase == CyclePhase::idle && waits_for_poll()) || engine_.waits_for_poll() || engine_.held_up()) return;
        paced_slice(Occasion::allocation);
    }

    void handshake() noexcept override { engine_.answer(); }

    bool relieve() noexcept override {
        if (!engine_.active()) return engine_.release_parked(SIZE_MAX);
        const detail::Moment start = heap_.events.now();
        const std::uint64_t collections = heap_.totals.scope_collections;
        const std::size_t used = heap_.pool.used_bytes();
        engine_.finish(false, false);  // what waits for a poll stays
        heap_.events.pause(PauseCause::stall, start, 0, 0, Label("(heap)"));
        return heap_.totals.scope_collections != collections || heap_.pool.used_bytes() < used;
    }

    bool collect_until(std::chrono::steady_clock::time_point until) override {
        polled();
        for (;;) {
            begin_what_is_due();
            if (!engine_.active()) {
                while (
                    (detail::release_dropped(heap_) || engine_.release_parked(1) || engine_.driver().serve_memory()) &&
                    detail::Clock::now() < until) {
                }
                return true;
            }
            const auto now = detail::Clock::now();
            if (now >= until) return false;
            const std::chrono::nanoseconds left = until - now;
            if (is_collectors(engine_.phase()) && engine_.has_thread()) {
                engine_.driver().wait(Deadline::in(left));
            } else {
                timed_slice(std::min(left, pacer_.longest()), Occasion::poll);
            }
        }
    }

    void trim(Region& region) override { pressure_.trim(region); }

    void finish() noexcept override {
        engine_.poll();
        engine_.finish(true, true);
    }

    void note_slot(const detail::IncomingSlot& slot, void* target) noexcept override {
        engine_.note_slot(slot, target);
    }
    bool marked(const void* object) const noexcept override { return engine_.marked(object); }
    bool dying(const void* object) const noexcept override { return engine_.dying(object); }
    std::string_view phase() const noexcept override { return to_string(engine_.phase()); }
    bool step_collector(unsigned breaths) override {
        if (is_collectors(engine_.phase())) engine_.driver().step(breaths);
        return is_collectors(engine_.phase());
    }
    bool step(bool in_poll) override {
        if (in_poll) {
            polled();
            begin_what_is_due();
        }
        watch();
        engine_.hold(in_poll ? open_scopes_next() : waits_for_poll());
        return engine_.step(in_poll);
    }
    void set_pauses() override { pacer_.set(heap_.options.pauses); }

    void collect_full() override { collect(CollectionReason::on_demand); }

    void collect(CollectionReason reason) {
        if (phase_.now() != Phase::idle || detail::hot.quiet != 0) return;  // law [quiet]
        heap_.refused = false;
        detail::drop_all_ghosts(heap_);
        engine_.poll();
        const bool ended = engine_.finish(true, true);
        PERFLOC_CHECK(ended, "internal: scopes wait while the whole heap is collected");
        // No scope has received survivors since this poll: one that a destructor ends is merged, and waits for nothing.
        engine_.poll();
        whole_.run(heap_.stress.move, reason);
        pressure_.start_over();
        heap_.safepoint_due = false;
        verify_if_asked("after a full collection");
    }

    bool safepoint() override {
        if (heap_.listens() && !heap_.stress.move) return paced_safepoint();
        const bool grown = heap_.safepoint_due && heap_.pool.used_bytes() > heap_.collect_above;
        const bool refused = std::exchange(heap_.refused, false) && heap_.options.collector == Collector::full;
        const bool due = refused || grown;
        heap_.safepoint_due = false;
        look_for_undeclared_references();
        if (due || heap_.stress.move) {
            if (kWatchStack || heap_.stress.move) watch_stack();
            collect(due ? why_due() : CollectionReason::on_demand);
            stack_.after();
            return true;
        }
        verify_if_asked("at a safepoint");
        return false;
    }

    VerifyReport verify() override {
        const auto held = engine_.driver().hold();
        return Verifier(heap_).run();
    }

private:
#ifdef NDEBUG
    static constexpr bool kWatchStack = false;
#else
    static constexpr bool kWatchStack = true;
#endif

    enum class Occasion { allocation, scope, poll };  // of a slice

    /// A slice as well would be too much for one call.
    void took(const ScopeReport& report) { slice_may_wait_ = engine_.active() && report.pause > pacer_.longest() / 2; }

    bool no_pause() const { return heap_.mutator() != nullptr && heap_.mutator()->no_pause != 0; }

    /// The end of a scope is dealt with in the caller where that fits the budget at its worst.
    bool at_once(const Region& ended) const {
        if (heap_.stress.move) return true;
        if (heap_.stress.condemn) return false;
        const std::chrono::nanoseconds budget = heap_.options.pauses.max;
        EndedScope scope{
            .bytes = detail::allocated_bytes(heap_, ended), .slots = ended.incoming.size(), .spans = ended.spans()};
        // Most scopes that something escapes from have none.
        if (!ended.cleanups.empty()) scope.cleanups = count_destructors(ended, most_destructors(budget));
        const bool handles = !list_empty(ended.handles) || (ended.attention & detail::kWeak) != 0;
        if (handles) scope.handles = count_handles(heap_, ended, most_handles(budget));
        return collect_at_once(scope, budget);
    }

    /// At a poll: begin what is due, then one slice.
    bool paced_safepoint() {
        look_for_undeclared_references();
        polled();
        if (std::exchange(heap_.refused, false) || pressure_.near_limit()) {
            if (kWatchStack) watch_stack();
            collect(CollectionReason::soft_limit);
            stack_.after();
            return true;
        }
        begin_what_is_due();
        if (engine_.active()) {
            const bool may_move = !(is_collectors(engine_.phase()) && engine_.has_thread());
            if (kWatchStack && may_move) watch_stack();
            paced_slice(Occasion::poll);
            if (kWatchStack && may_move) {
                const auto held = engine_.driver().hold();  // the slice may have woken the thread
                stack_.after();
            }
        }
        verify_if_asked("at a safepoint");
        return true;
    }

    void watch_stack() {
        const auto held = engine_.driver().hold();
        stack_.before();
    }

    void watch() {
        pressure_.watch(engine_.cycle());
        const bool ended_scopes = engine_.phase() != CyclePhase::idle && !engine_.cycle().pressure();
        if (ended_scopes && pressure_.overdue()) passed_over_ = engine_.cycle().number;
    }

    /// In a poll. law [progress]: the collections of open scopes and of ended ones take turns.
    void begin_what_is_due() {
        watch();
        if (engine_.phase() != CyclePhase::idle || (engine_.active() && !open_scopes_next())) return;
        const std::optional<Pressure::Due> due = pressure_.take();
        if (!due) return;
        engine_.begin_pressure(*due->outermost, due->reason);
        pressure_.begun(engine_.cycle().number);
    }

    /// Open scopes were overdue while the last collection, one of ended ones, went on, and are so yet.
    bool open_scopes_next() const {
        return passed_over_ == engine_.cycle().number && !engine_.owes() && pressure_.overdue();
    }

    /// Between two collections: the next one begins in a poll, be it because open scopes come next, or because it is the turn of what
    /// must begin there; but not for ever, where the program does not poll.
    bool waits_for_poll() const { return !poll_is_late_ && (engine_.owes() || open_scopes_next()); }

    void polled() {
        engine_.poll();
        poll_is_late_ = false;
        ends_held_ = 0;
    }
    /// A scope has ended meanwhile.
    void wait_for_poll() {
        const std::size_t used = heap_.pool.used_bytes();
        if (ends_held_++ == 0) used_when_held_ = used;
        const std::size_t grown = used - std::min(used, used_when_held_);
        poll_is_late_ = ends_held_ > kMostEndsHeld || grown > std::max(kMostGrownHeld, used_when_held_ / 16) ||
                        heap_.collection.waiting_shades.size() > kMostShadesHeld;
    }

    /// One slice, if the program's share of time allows it now.
    void paced_slice(Occasion occasion) {
        const bool in_poll = occasion == Occasion::poll;
        const CyclePhase phase = engine_.phase();
        watch();
        const bool urgent = pressure_.urgent(engine_.cycle());
        if (is_collectors(phase) && engine_.has_thread()) {
            if (urgent && in_poll) assist();
            return;
        }
        if (phase == CyclePhase::agree) return engine_.answer();
        if (phase == CyclePhase::idle && !in_poll && engine_.none_ready()) return;
        if (phase == CyclePhase::idle && !in_poll && waits_for_poll()) return wait_for_poll();
        if (!in_poll && engine_.waits_for_poll() && ++slices_without_poll_ <= kMostSlicesWithoutPoll) return;
        // law [progress]: a program that outruns its collection gives a slice whenever it can.
        if (urgent) return timed_slice(pacer_.longest(), occasion);
        const auto now = detail::TickClock::duration(detail::TickClock::now());
        const std::chrono::nanoseconds allowance =
            pacer_.allowance(now, in_poll ? engine_.needs() : std::chrono::nanoseconds(0));
        if (allowance.count() == 0) return;
        timed_slice(allowance, occasion);
    }

    /// At a poll, for the time of one pause: law [progress]. A stall is where the thread did not make way.
    void assist() {
        const detail::Moment start = heap_.events.now();
        const bool assisted = engine_.driver().assist(Deadline::in(pacer_.longest()));
        if (assisted) {
            heap_.events.slice(engine_.cycle().phase.cycle(), SliceKind::marking, start, {}, heap_.options.pauses.max);
        }
        const PauseCause cause = assisted ? PauseCause::assist : PauseCause::stall;
        pacer_.spent(heap_.events.pause(cause, start, 0, 0, Label("(slice)")));
    }

    void timed_slice(std::chrono::nanoseconds time, Occasion occasion) {
        const bool in_poll = occasion == Occasion::poll;
        const bool may_reap = occasion != Occasion::allocation;
        if (occasion == Occasion::allocation) ++heap_.collection.counts.allocation_slices;
        const detail::Moment start = heap_.events.now();
        const SliceKind kind = kind_of(engine_.phase(), in_poll && engine_.waits_for_poll());
        const std::uint32_t last = engine_.cycle().number;
        const CycleTotals before = engine_.cycle().totals;
        if (in_poll) slices_without_poll_ = 0;
        engine_.hold(in_poll ? open_scopes_next() : waits_for_poll());
        // A program that does not poll: what waits for one is adopted.
        // The same where the budget is less than the least piece of work: law [progress].
        const bool adopt_all =
            slices_without_poll_ > kMostSlicesWithoutPoll || fruitless_slices_ > kMostFruitlessSlices;
        engine_.slice({.deadline = Deadline::in(time),
                       .in_poll = in_poll,
                       .may_clear = may_reap,
                       .may_destroy = may_reap,
                       .tells_end = false,
                       .adopt_all = adopt_all});
        const CycleTotals done = engine_.cycle().totals - (engine_.cycle().number == last ? before : CycleTotals{});
        const Bytes bytes = done.adopted_bytes + done.evacuated_bytes;
        const bool fruitless = in_poll && bytes == 0 && engine_.waits_for_poll();
        fruitless_slices_ = fruitless ? fruitless_slices_ + 1 : 0;
        heap_.events.slice(engine_.cycle().phase.cycle(), kind, start, {bytes, done.destructors},
                           heap_.options.pauses.max);
        // law [progress]: what waits for a poll would else wait for one that finds no collection going on.
        if (engine_.tell_end() && in_poll) engine_.begin_next();
        pacer_.spent(heap_.events.pause(cause_of(kind), start, bytes, bytes, Label("(slice)")));
        verify_if_asked("after a slice");
    }

    static SliceKind kind_of(CyclePhase phase, bool evacuates) {
        switch (phase) {
            case CyclePhase::mark:
            case CyclePhase::sweep:
                return SliceKind::marking;
            case CyclePhase::clear:
                return SliceKind::weak;
            case CyclePhase::destroy:
                return SliceKind::destructors;
            case CyclePhase::settle:
                return evacuates ? SliceKind::evacuate : SliceKind::adopt;
            case CyclePhase::record:
            case CyclePhase::follow:
                return SliceKind::slots;
            default:
                return SliceKind::roots;
        }
    }

    /// In debug builds: at the polls number 1, 2, 4, 8... the verifier walks the heap, which names fields that look like
    /// references and are not declared. So seldom that its cost is lost among the others'.
    void look_for_undeclared_references() {
        if (!kWatchStack || heap_.totals.suspicious_words != 0) return;
        ++polls_;
        if (std::has_single_bit(polls_)) try_to_verify();
    }

    /// Nothing where there is no memory for it.
    std::optional<VerifyReport> try_to_verify() {
        try {
            return verify();
        } catch (const std::bad_alloc&) {
            return std::nullopt;
        }
    }

    void verify_if_asked(const char* when) {
        if (!heap_.stress.verify) return;
        const std::optional<VerifyReport> verdict = try_to_verify();
        PERFLOC_CHECK(!verdict || verdict->ok(), "{} (phase {}, {}): {}", when, phase(),
                      engine_.cycle().pressure() ? "open scopes" : "ended scopes", verdict->violations.front());
    }

    CollectionReason why_due() const {
        const bool limit = heap_.listens() || heap_.pool.used_bytes() > heap_.options.soft_limit;
        return limit ? CollectionReason::soft_limit : CollectionReason::baseline;
    }

    static constexpr unsigned kMostSlicesWithoutPoll = 1000;
    static constexpr unsigned kMostFruitlessSlices = 16;
    static constexpr unsigned kMostEndsHeld = 1000;
    static constexpr std::size_t kMostShadesHeld = std::size_t{1} << 16;
    static constexpr std::size_t kMostGrownHeld = std::size_t{4} << 20;

    HeapCore& heap_;
    MarkBitmap marks_;
    PhaseOwner phase_{heap_.events};
    ScopeCollection scopes_;
    FullCollection whole_;
    StackWatch stack_{heap_};
    std::uint64_t polls_ = 0;
    Pacer pacer_;
    Pressure pressure_{heap_};
    unsigned slices_without_poll_ = 0;
    unsigned fruitless_slices_ = 0;  // in a row
    bool slice_may_wait_ = false;    // the end of a scope has taken its time
    bool slice_waited_ = false;
    unsigned ends_held_ = 0;  // of scopes, while the next collection waits for a poll
    std::size_t used_when_held_ = 0;
    std::uint32_t passed_over_ = UINT32_MAX;  // the last collection of ended scopes during which open ones were overdue
    bool poll_is_late_ = false;
    Engine engine_;  // at last: its thread ends first
};

}  // namespace

std::unique_ptr<detail::CollectorInterface> make_collector(HeapCore& heap) {
    return std::make_unique<Collectors>(heap);
}

}  // namespace perfloc::gc
