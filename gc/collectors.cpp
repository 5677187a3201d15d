#include "gc/collectors.hpp"

#include "gc/cycle/engine.hpp"
#include "gc/full_collection.hpp"
#include "gc/policy/full_policy.hpp"
#include "gc/policy/pacer.hpp"
#include "gc/policy/scope_end_policy.hpp"
#include "gc/scope_collection.hpp"
#include "gc/verify/stack_watch.hpp"
#include "gc/verify/verifier.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
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
        set_threshold(0);
    }

    ScopeReport end_scope(Region& ended, Region& enclosing) noexcept override {
        if (!at_once(ended)) {
            ScopeReport report;
            if (!heap_.stress.condemn && scopes_.run_if_few(ended, enclosing, report)) return took(report);
            // Such an end has taken its time: to look in vain, or to begin a collection.
            slice_may_wait_ = report.pause.count() != 0 || !engine_.active();
            pacer_.spent(report.pause);
            engine_.condemn(ended, enclosing);
            report.settled = false;
            return report;
        }
        if (phase_.now() == Phase::idle) return took(scopes_.run(ended, enclosing));
        // A destructor of a dying set ended a scope: that one's spans are its own, and so are its marks.
        PhaseOwner phase(heap_.events);
        ScopeCollection nested(heap_, marks_, phase);
        return nested.run(ended, enclosing);
    }

    void condemn(Region& ended, Region& enclosing) noexcept override { engine_.condemn(ended, enclosing); }

    void attend() noexcept override {
        // law [progress]: not twice in a row.
        const bool wait = std::exchange(slice_may_wait_, false) && !slice_waited_;
        slice_waited_ = wait;
        if (wait || detail::hot.quiet != 0 || no_pause()) return engine_.answer();  // law [quiet]
        paced_slice(false);
    }

    void handshake() noexcept override { engine_.answer(); }

    bool relieve() noexcept override {
        if (!engine_.active()) return false;
        const detail::Moment start = heap_.events.now();
        const std::uint64_t collections = heap_.totals.scope_collections;
        engine_.finish(false, false);  // what waits for a poll stays
        heap_.events.pause(PauseCause::stall, start, 0, 0, Label("(heap)"));
        return heap_.totals.scope_collections != collections;
    }

    bool collect_until(std::chrono::steady_clock::time_point until) override {
        engine_.poll();
        for (;;) {
            begin_what_is_due();
            if (!engine_.active()) {
                while (engine_.driver().serve_memory() && detail::Clock::now() < until) {
                }
                return true;
            }
            const auto now = detail::Clock::now();
            if (now >= until) return false;
            const std::chrono::nanoseconds left = until - now;
            if (is_collectors(engine_.phase()) && engine_.has_thread()) {
                engine_.driver().wait(Deadline::in(left));
            } else {
                timed_slice(std::min(left, pacer_.longest()), true);
            }
        }
    }

    void trim(Region& region) override {
        trim_region_ = region.index;
        trim_birth_ = region.birth;
        heap_.safepoint_due = true;
    }

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
            engine_.poll();
            begin_what_is_due();
        }
        return engine_.step(in_poll);
    }
    void set_pauses() override { pacer_.set(heap_.options.pauses); }

    void collect_full() override { collect(CollectionReason::on_demand); }

    void collect(CollectionReason reason) {
        if (phase_.now() != Phase::idle || detail::hot.quiet != 0) return;  // law [quiet]
        engine_.poll();
        engine_.finish(true, true);
        cycle_running_ = false;
        whole_.run(heap_.stress.move, reason);
        set_threshold(heap_.pool.used_bytes());
        heap_.safepoint_due = false;
        verify_if_asked("after a full collection");
    }

    bool safepoint() override {
        if (heap_.listens() && !heap_.stress.move) return paced_safepoint();
        const bool due = heap_.safepoint_due && heap_.pool.used_bytes() > heap_.collect_above;
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

    /// A slice as well would be too much for one call.
    ScopeReport took(const ScopeReport& report) {
        slice_may_wait_ = engine_.active() && report.pause > pacer_.longest() / 2;
        return report;
    }

    bool no_pause() const { return heap_.mutator != nullptr && heap_.mutator->no_pause != 0; }

    /// The end of a scope is dealt with in the caller where that fits the budget at its worst.
    bool at_once(const Region& ended) const {
        if (heap_.stress.move) return true;
        if (heap_.stress.condemn) return false;
        const EndedScope scope{.bytes = detail::allocated_bytes(heap_, ended),
                               .slots = ended.incoming.size(),
                               .cleanups = ended.cleanups.size()};
        return collect_at_once(scope, heap_.options.pauses.max);
    }

    /// At a poll: begin what is due, then one slice.
    bool paced_safepoint() {
        look_for_undeclared_references();
        engine_.poll();
        if (near_limit()) {
            if (kWatchStack) watch_stack();
            collect(CollectionReason::soft_limit);
            stack_.after();
            return true;
        }
        begin_what_is_due();
        if (engine_.active()) {
            const bool may_move = !(is_collectors(engine_.phase()) && engine_.has_thread());
            if (kWatchStack && may_move) watch_stack();
            paced_slice(true);
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

    /// So little is left that the program would be refused memory before a collection beside it ends.
    bool near_limit() {
        if (!heap_.safepoint_due) return false;
        return heap_.pool.used_bytes() > emergency_above_ && heap_.pool.used_bytes() > limit() / 16 * 15;
    }
    std::size_t limit() const { return std::min(heap_.options.limit, heap_.pool.limit_bytes()); }

    void begin_what_is_due() {
        if (engine_.active()) return;
        if (cycle_running_) note_end_of_cycle();
        if (trim_region_ != 0) {
            Region& region = heap_.regions.at(std::exchange(trim_region_, 0u));
            bool open = false;  // a spare too has the state of an open region
            heap_.for_each_open_region([&](const Region& other) { open = open || &other == &region; });
            if (open && region.birth == trim_birth_) {
                return begin_pressure(region, CollectionReason::trim);
            }
        }
        if (heap_.safepoint_due && heap_.pool.used_bytes() > pressure_above()) {
            const bool soft = heap_.pool.used_bytes() > heap_.options.soft_limit;
            begin_pressure(grown_most(), soft ? CollectionReason::soft_limit : CollectionReason::pressure);
        }
        heap_.safepoint_due = false;
    }

    /// What ended scopes have left was alive when they ended: it counts less than what was made where no scope ends.
    std::size_t pressure_above() const {
        const std::size_t survived = static_cast<std::size_t>(heap_.totals.promoted_bytes - promoted_before_) / 5 * 3;
        return growth_.later(heap_.collect_above, survived, left_, heap_.options.soft_limit);
    }

    /// The most that was used while a collection of what is open went on; copies are its own.
    void note_used() {
        const std::size_t copies = engine_.cycle().pressure() ? engine_.cycle().totals.evacuated_bytes : 0;
        const std::size_t used = heap_.pool.used_bytes();
        most_used_ = std::max(most_used_, used - std::min(used, copies));
    }

    void begin_pressure(Region& outermost, CollectionReason reason) {
        cycle_running_ = true;
        most_used_ = used_before_ = heap_.pool.used_bytes();
        engine_.begin_pressure(outermost, reason);
    }

    void note_end_of_cycle() {
        cycle_running_ = false;
        heap_.for_each_open_region([](Region& region) { region.settled_pages = region.pages; });
        // By what the program grew meanwhile, which was not looked at, it has grown already.
        note_used();
        const std::size_t used = heap_.pool.used_bytes();
        const std::size_t grown = most_used_ - std::min(most_used_, used_before_);
        growth_.collected(grown);
        set_threshold(used - std::min(used, grown));
        if (used > heap_.collect_above) heap_.safepoint_due = true;
    }

    /// The innermost open scope that has, with what it encloses, three quarters of the growth since the last collection.
    Region& grown_most() {
        const auto growth = [](const Region& region) {
            return region.pages - std::min(region.pages, region.settled_pages);
        };
        std::uint64_t total = 0;
        heap_.for_each_open_region([&](const Region& region) { total += growth(region); });
        std::uint64_t inner = 0;
        for (Region* region = heap_.current_region(); region != nullptr && region != heap_.root;
             region = region->parent_region()) {
            inner += growth(*region);
            if (inner >= total / 4 * 3) return *region;
        }
        return *heap_.root;
    }

    /// One slice, if the program's share of time allows it now.
    void paced_slice(bool in_poll) {
        const CyclePhase phase = engine_.phase();
        if (paced_cycle_ != engine_.cycle().number) {
            paced_cycle_ = engine_.cycle().number;
            const std::size_t used = heap_.pool.used_bytes();
            urgent_above_ = engine_.cycle().pressure() ? growth_.urgent_above(left_, used, limit())
                                                       : growth_.urgent_above_ended(used, limit());
        }
        if (cycle_running_) note_used();
        // Copies are the collection's own.
        const bool urgent = heap_.pool.used_bytes() > urgent_above_ + engine_.cycle().totals.evacuated_bytes;
        if (is_collectors(phase) && engine_.has_thread()) {
            if (urgent && in_poll) stall();
            return;
        }
        if (phase == CyclePhase::agree) return engine_.answer();
        if (!in_poll && engine_.waits_for_poll() && ++slices_without_poll_ <= kMostSlicesWithoutPoll) return;
        // law [progress]: a program that outruns its collection gives a slice whenever it can.
        if (urgent) return timed_slice(pacer_.longest(), in_poll);
        const auto now = detail::TickClock::duration(detail::TickClock::now());
        const std::chrono::nanoseconds allowance =
            pacer_.allowance(now, in_poll ? engine_.needs() : std::chrono::nanoseconds(0));
        if (allowance.count() == 0) return;
        timed_slice(allowance, in_poll);
    }

    /// At a poll: the collector thread gets the time of one pause.
    void stall() {
        const detail::Moment start = heap_.events.now();
        engine_.driver().give_way(Deadline::in(pacer_.longest()));
        heap_.events.pause(PauseCause::stall, start, 0, 0, Label("(slice)"));
    }

    void timed_slice(std::chrono::nanoseconds time, bool in_poll) {
        const detail::Moment start = heap_.events.now();
        const SliceKind kind = kind_of(engine_.phase(), in_poll && engine_.waits_for_poll());
        const CycleTotals before = engine_.cycle().totals;
        if (in_poll) slices_without_poll_ = 0;
        // A program that does not poll: what waits for one is adopted.
        // The same where the budget is less than the least piece of work: law [progress].
        const bool adopt_all =
            slices_without_poll_ > kMostSlicesWithoutPoll || fruitless_slices_ > kMostFruitlessSlices;
        engine_.slice({.deadline = Deadline::in(time), .in_poll = in_poll, .adopt_all = adopt_all});
        const CycleTotals& after = engine_.cycle().totals;
        const Bytes bytes = after.adopted_bytes + after.evacuated_bytes - before.adopted_bytes - before.evacuated_bytes;
        const bool fruitless = in_poll && bytes == 0 && engine_.waits_for_poll();
        fruitless_slices_ = fruitless ? fruitless_slices_ + 1 : 0;
        heap_.events.slice(kind, start, {bytes, after.destructors - before.destructors}, heap_.options.pauses.max);
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
        if (std::has_single_bit(polls_)) verify();
    }

    void verify_if_asked(const char* when) {
        if (!heap_.stress.verify) return;
        const VerifyReport verdict = verify();
        PERFLOC_CHECK(verdict.ok(), "{} (phase {}, {}): {}", when, phase(),
                      engine_.cycle().pressure() ? "open scopes" : "ended scopes", verdict.violations.front());
    }

    CollectionReason why_due() const {
        const bool limit = heap_.listens() || heap_.pool.used_bytes() > heap_.options.soft_limit;
        return limit ? CollectionReason::soft_limit : CollectionReason::baseline;
    }

    void set_threshold(std::size_t used) {
        const Options& options = heap_.options;
        left_ = used;
        promoted_before_ = heap_.totals.promoted_bytes;
        switch (options.collector) {
            case Collector::hinted:
                heap_.collect_above = growth_.threshold(used, options.soft_limit, limit());
                emergency_above_ = next_emergency_collection(used, options.soft_limit, options.limit);
                break;
            case Collector::full:
                heap_.collect_above = std::min(
                    next_full_collection(used, options.full_growth_factor, options.full_minimum), options.soft_limit);
                break;
            case Collector::none:
                heap_.collect_above = SIZE_MAX;
                break;
        }
    }

    static constexpr unsigned kMostSlicesWithoutPoll = 1000;
    static constexpr unsigned kMostFruitlessSlices = 16;

    HeapCore& heap_;
    MarkBitmap marks_;
    PhaseOwner phase_{heap_.events};
    ScopeCollection scopes_;
    FullCollection whole_;
    StackWatch stack_{heap_};
    std::uint64_t polls_ = 0;
    Pacer pacer_;
    GrowthPolicy growth_;
    std::size_t emergency_above_ = 0;
    std::size_t urgent_above_ = SIZE_MAX;
    std::uint32_t paced_cycle_ = 0;
    unsigned slices_without_poll_ = 0;
    unsigned fruitless_slices_ = 0;  // in a row
    bool slice_may_wait_ = false;    // the end of a scope has taken its time
    bool slice_waited_ = false;
    bool cycle_running_ = false;         // one that growth or trim() has begun
    std::size_t left_ = 0;               // used bytes after the last one
    std::uint64_t promoted_before_ = 0;  // bytes promoted until then
    std::size_t used_before_ = 0;        // when it began
    std::size_t most_used_ = 0;          // since then
    std::uint32_t trim_region_ = 0;
    std::uint64_t trim_birth_ = 0;
    Engine engine_;  // at last: its thread ends first
};

}  // namespace

std::unique_ptr<detail::CollectorInterface> make_collector(HeapCore& heap) {
    return std::make_unique<Collectors>(heap);
}

}  // namespace perfloc::gc
