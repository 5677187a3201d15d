#include "gc/collectors.hpp"

#include "gc/full_collection.hpp"
#include "gc/policy/full_policy.hpp"
#include "gc/scope_collection.hpp"
#include "gc/verify/stack_watch.hpp"
#include "gc/verify/verifier.hpp"
#include "runtime/bump.hpp"
#include "runtime/check.hpp"

#include <bit>
#include <cstdint>

namespace perfloc::gc {

namespace {

/// One engine; the collectors differ in when the whole heap is collected, and in whether scopes have regions to collect.
class Collectors final : public detail::CollectorInterface {
public:
    explicit Collectors(HeapCore& heap)
        : heap_(heap), marks_(heap.memory), scopes_(heap, marks_, phase_), whole_(heap, marks_, phase_) {
        set_threshold(0);
    }

    ScopeReport end_scope(Region& ended, Region& enclosing) noexcept override {
        if (phase_.now() == Phase::idle) return scopes_.run(ended, enclosing);
        // A destructor of a dying set ended a scope: that one's spans are its own, and so are its marks.
        PhaseOwner phase(heap_.events);
        ScopeCollection nested(heap_, marks_, phase);
        return nested.run(ended, enclosing);
    }

    void collect_full() override { collect(CollectionReason::on_demand); }

    void collect(CollectionReason reason) {
        if (phase_.now() != Phase::idle || detail::hot.quiet != 0) return;  // law [quiet]
        whole_.run(heap_.stress.move, reason);
        set_threshold(heap_.pool.used_bytes());
        heap_.safepoint_due = false;
        verify_if_asked("after a full collection");
    }

    bool safepoint() override {
        const bool due = heap_.safepoint_due && heap_.pool.used_bytes() > heap_.collect_above;
        heap_.safepoint_due = false;
        look_for_undeclared_references();
        if (due || heap_.stress.move) {
            if (kWatchStack || heap_.stress.move) stack_.before();
            collect(due ? why_due() : CollectionReason::on_demand);
            stack_.after();
            return true;
        }
        verify_if_asked("at a safepoint");
        return false;
    }

    VerifyReport verify() const override { return Verifier(heap_).run(); }

private:
#ifdef NDEBUG
    static constexpr bool kWatchStack = false;
#else
    static constexpr bool kWatchStack = true;
#endif

    /// In debug builds: at the polls number 1, 2, 4, 8... the verifier walks the heap, which names fields that look like
    /// references and are not declared. So seldom that its cost is lost among the others'.
    void look_for_undeclared_references() {
        if (!kWatchStack || heap_.totals.suspicious_words != 0) return;
        ++polls_;
        if (std::has_single_bit(polls_)) verify();
    }

    void verify_if_asked(const char* when) const {
        if (!heap_.stress.verify) return;
        const VerifyReport verdict = verify();
        PERFLOC_CHECK(verdict.ok(), "{}: {}", when, verdict.violations.front());
    }

    CollectionReason why_due() const {
        const bool limit = heap_.listens() || heap_.pool.used_bytes() > heap_.options.soft_limit;
        return limit ? CollectionReason::soft_limit : CollectionReason::baseline;
    }

    void set_threshold(std::size_t used) {
        const Options& options = heap_.options;
        switch (options.collector) {
            case Collector::hinted:
                heap_.collect_above = next_emergency_collection(used, options.soft_limit, options.limit);
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

    HeapCore& heap_;
    MarkBitmap marks_;
    PhaseOwner phase_{heap_.events};
    ScopeCollection scopes_;
    FullCollection whole_;
    StackWatch stack_{heap_};
    std::uint64_t polls_ = 0;
};

}  // namespace

std::unique_ptr<detail::CollectorInterface> make_collector(HeapCore& heap) {
    return std::make_unique<Collectors>(heap);
}

}  // namespace perfloc::gc
