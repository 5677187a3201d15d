#include "runtime/bump.hpp"
#include "tests/gc/inspect.hpp"
#include "tests/support/catch.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

// A span is evacuated piece by piece, and the program goes on between two of them.
namespace {

using namespace std::chrono_literals;
using perfloc::Handle;
using perfloc::Ref;

struct Leaf {
    Ref<Leaf> other;
    std::uint64_t value = 0;
};

using Table = perfloc::Array<Ref<Leaf>>;

constexpr std::size_t kLeaves = 3000, kEvery = 16, kMiddle = kLeaves / 2;

/// A heap without a thread whose every step is the test's, and a table of what lives in spans that are nearly empty.
struct Bench {
    explicit Bench(std::chrono::nanoseconds budget = 1ms)
        : heap({.reserve = 1 << 30,
                .limit = 256 << 20,
                .collector = perfloc::Collector::hinted,
                .pauses = {.max = budget},
                .collector_thread = false}) {}

    perfloc::Heap heap;
    perfloc::Mutator me{heap};
    Handle<Table> table = perfloc::make_array<Ref<Leaf>>(kLeaves);
    std::uint32_t page = 0;  ///< of the span in the middle
    std::size_t all = 0;     ///< objects in it that live

    Ref<Leaf>& operator[](std::size_t i) { return (*table)[i]; }
    std::string_view phase() const { return perfloc::testing::phase(heap); }
    bool run_to(std::string_view phase) { return perfloc::testing::run_to(heap, phase); }

    /// In the current scope: of every sixteen objects one lives, by the table, which is elsewhere; each refers to another one.
    void fill() {
        for (std::size_t i = 0; i < kLeaves * kEvery; ++i) {
            Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, i);
            if (i % kEvery != 0) continue;
            const std::size_t at = i / kEvery;
            (*this)[at] = leaf;
            leaf->other = (*this)[at * 7919 % (at + 1)];
        }
        page = page_of(kMiddle);
        all = on_page();
    }
    std::uint32_t page_of(std::size_t i) { return inspect::core().pages.span_page((*this)[i].get()); }
    std::size_t on_page() {
        std::size_t n = 0;
        for (std::size_t i = 0; i < kLeaves; ++i) n += page_of(i) == page;
        return n;
    }
    /// Some of the objects that were in the span are elsewhere, and some are not.
    bool in_part() {
        const std::size_t left = on_page();
        return left != 0 && left < all && inspect::core().pages.span(page).candidate != 0;
    }
    template <class F>
    void at_safepoint(F&& f) {
        perfloc::detail::Region& current = *inspect::core().current_region();
        perfloc::detail::store_hot();
        f(*inspect::core().collector);
        perfloc::detail::load_hot(current);
    }
    /// A poll that runs one piece of work.
    void step() {
        at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.step(true); });
    }
    /// Until the span has moved in part.
    void move_in_part() {
        REQUIRE(run_to("settle"));
        while (phase() == "settle" && !in_part()) step();
        REQUIRE(in_part());
    }
    void check() {
        for (std::size_t i = 0; i < kLeaves; ++i) REQUIRE((*this)[i]->value == i * kEvery);
        const perfloc::VerifyReport verdict = heap.verify();
        INFO((verdict.ok() ? "" : verdict.violations.front()));
        REQUIRE(verdict.ok());
    }
    /// Until nothing is left to collect.
    void settle() {
        REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s));
        check();
    }
};

/// The last of so many that to promote them takes more than a budget of a microsecond. make(next) makes one.
template <class Make>
Leaf* chain(Make&& make) {
    Leaf* last = nullptr;
    for (int i = 0; i < 20; ++i) last = make(last);
    return last;
}

struct Named {  // never moves
    Ref<Leaf> leaf;
    std::string name;
};

struct Holder {
    Ref<Named> named;
};

}  // namespace

TEST_CASE("a span is evacuated in pieces, between which the program changes what refers to it") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("settle"));
    unsigned pieces = 0;
    for (std::uint64_t random = 1; bench.phase() == "settle"; ++random) {
        // Objects that have moved, that will, and new ones refer to each other.
        const std::size_t a = random * 7919 % kLeaves, b = random * 104729 % kLeaves;
        bench[a]->other = bench[b];
        bench[b]->other = perfloc::make_raw<Leaf>(bench[a].get(), 1u);
        bench.step();
        pieces += bench.in_part();
        bench.check();
    }
    CHECK(pieces > 0);
    CHECK(inspect::core().collection.counts.spans_evacuated > 0);
    bench.settle();
}

TEST_CASE("where a handle comes to hold an object of a span that is evacuated, the rest of it is adopted") {
    Bench bench;
    const bool open = GENERATE(true, false);
    perfloc::Scope scope{"filled"};
    bench.fill();
    if (open) {
        scope.trim();
        bench.step();
    } else {
        scope.end();
    }
    bench.move_in_part();
    // One that has not moved: the last of the span.
    std::size_t held = kMiddle;
    for (std::size_t i = 0; i < kLeaves; ++i) {
        if (bench.page_of(i) == bench.page) held = i;
    }
    Leaf* const where = bench[held].get();
    const Handle<Leaf> handle = where;
    const std::size_t left = bench.on_page();
    bench.settle();
    CHECK(handle.get() == where);
    CHECK(bench.on_page() == left);
    CHECK(inspect::span(where).live_map);
    // What has moved out of it is dead there: a collection of the whole heap finds it so.
    bench.heap.collect_full();
    bench.check();
}

TEST_CASE("a budget below a piece's cost adopts") {
    Bench bench(500ns);
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    perfloc::poll();
    bench.settle();
    CHECK(bench.page_of(kMiddle) == bench.page);
}

TEST_CASE("a field that was told of while marking went on is told again when it is written later") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    const Handle<Leaf> fresh = perfloc::make<Leaf>(bench[0].get(), 1u);
    REQUIRE(bench.run_to("clear"));  // the collector has read the field for the last time
    Leaf* const before = bench[kMiddle].get();
    fresh->other = before;
    bench.settle();
    REQUIRE(bench[kMiddle].get() != before);
    CHECK(fresh->other.get() == bench[kMiddle].get());
}

TEST_CASE("a field that was told of as its region's own is told again when it comes to refer elsewhere") {
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    perfloc::Scope inner{"inner"};  // is looked at, too
    const Handle<Leaf> target = perfloc::make<Leaf>(nullptr, 1u);
    bench.heap.root().trim();
    REQUIRE(bench.run_to("mark"));
    Leaf* const fresh = perfloc::make_raw_in<Leaf>(scope, bench[0].get(), 2u);  // its own region's
    bench[0]->other = fresh;
    fresh->other = target.get();
    bench.check();
    bench.settle();
    CHECK(bench[0]->other->other.get() == target.get());
    inner.end();
    bench.settle();
    CHECK(bench[0]->other->other->value == 1);
}

TEST_CASE("the old copy of what has moved keeps nothing alive") {
    const bool given_back = GENERATE(false, true);  // while the span leaves its region, or before
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    std::size_t first = 0;  // of the span: it moves first
    while (bench.page_of(first) != bench.page) ++first;
    const char* const old = reinterpret_cast<const char*>(bench[first].get());
    const std::uint32_t region = inspect::region(old).index;
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    perfloc::Scope inner{"inner"};  // is not looked at
    bench[first]->other = perfloc::make_raw<Leaf>(nullptr, 1u);
    const perfloc::WeakHandle<Leaf> weak(bench[first]->other.get());
    bench.move_in_part();
    REQUIRE(bench.page_of(first) != bench.page);
    CHECK(bench[first]->other->value == 1);
    bench[first]->other = nullptr;
    if (given_back) {
        while (inspect::region(old).index == region) bench.step();
        REQUIRE(bench.phase() == "follow");
    }
    CHECK(inner.end().promoted_bytes == 0);
    CHECK(weak.expired());
    bench.settle();
}

TEST_CASE("a span that is adopted into a region while a collection looks at that is none of the collection's") {
    Bench bench(20us);  // the next collection takes slices to get to its end
    perfloc::Scope scope{"open"};
    perfloc::DetachedScope other(bench.heap, "other");
    bench.fill();
    const Handle<Holder> holder = perfloc::make<Holder>();
    holder->named = other.make_raw<Named>(nullptr, "named");
    scope.trim();
    REQUIRE(bench.run_to("mark"));
    other.end();
    REQUIRE(inspect::scope(holder->named.get()) == "open");
    REQUIRE(bench.phase() == "mark");  // still
    bench.heap.set_pauses({.max = 1ms});
    Leaf* const before = bench[kMiddle].get();
    holder->named->leaf = before;
    bench.settle();
    REQUIRE(bench[kMiddle].get() != before);
    CHECK(holder->named->leaf.get() == bench[kMiddle].get());
    CHECK(holder->named->name == "named");
}

TEST_CASE("fields that a collection was told of are not deduplicated while they are walked") {
    constexpr std::size_t kRepeated = 2000;
    const std::size_t steps = GENERATE(10u, 75u, 150u, 225u);  // of the walk, until the program records anything again
    Bench bench;
    perfloc::Scope scope{"open"};
    bench.fill();
    scope.trim();
    REQUIRE(bench.run_to("clear"));
    const Handle<Table> fresh = perfloc::make_array<Ref<Leaf>>(kLeaves);
    for (std::size_t i = 0; i < 2 * kRepeated; ++i) (*fresh)[i % kRepeated] = bench[i % kRepeated];
    std::size_t written = kRepeated;  // these follow repetitions, in whose place they would move
    for (; !inspect::core().deduplication.running(); ++written) (*fresh)[written] = bench[written];
    const perfloc::detail::RememberedSet& own = inspect::region(fresh.get()).own_slots;
    const std::size_t told = own.size();
    REQUIRE(told > 2 * kRepeated);
    REQUIRE(bench.run_to("record"));
    perfloc::Scope inner{"inner"};
    Leaf* const target = perfloc::make_raw<Leaf>(nullptr, 1u);
    for (std::size_t i = 0; i < steps; ++i) bench.step();
    REQUIRE(bench.phase() == "record");
    for (std::size_t i = 0; i < 3 * kLeaves; ++i) bench[i % kLeaves]->other = target;  // enough for steps
    CHECK(own.size() == told);
    for (std::size_t i = 0; i < kLeaves; ++i) bench[i]->other = nullptr;
    inner.end();
    bench.settle();
    for (std::size_t i = 0; i < written; ++i) REQUIRE((*fresh)[i].get() == bench[i].get());
}

TEST_CASE("what only a plain pointer names outlives the collections of two scopes, one in the other") {
    const bool before = GENERATE(true, false);  // the pointer is got before the first of them begins, or while it marks
    Bench bench(1us);                           // the ends of the scopes do next to nothing
    perfloc::WeakHandle<Leaf> weak;
    perfloc::Scope outer{"outer"};
    perfloc::Scope inner{"inner"};
    for (std::size_t i = 0; i < kLeaves * kEvery; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    Handle<Leaf> handle = chain([](Leaf* next) {
        return perfloc::make_raw<Leaf>(next, 7u);
    });  // goes to the outer scope, which nothing else names
    weak = handle;
    inner.end();
    outer.end();
    REQUIRE(inspect::core().collection.waiting > 0);
    if (!before) {
        while (bench.phase() != "mark") inspect::core().collector->step(false);
        REQUIRE(inspect::core().collection.waiting == 1);
    }
    const Leaf* const raw = handle.get();
    handle = {};
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE(bench.phase() == "idle");
    REQUIRE(inspect::core().collection.waiting == 0);
    CHECK(inspect::core().collection.cycle == 2);
    REQUIRE_FALSE(weak.expired());
    CHECK(raw->value == 7);
    bench.heap.collect_full();
    CHECK(weak.expired());
}

TEST_CASE("a parked scope keeps nothing alive of what ended after it") {
    const bool beside = GENERATE(false, true);  // the latter is collected beside the program, or in its end
    Bench bench(1us);
    {
        perfloc::Scope scope{"filled"};
        bench.fill();
    }
    REQUIRE(bench.phase() == "gather");
    perfloc::DetachedScope first(bench.heap, "first");
    perfloc::DetachedScope second(bench.heap, "second");
    for (std::size_t i = 0; i < kLeaves; ++i) second.make_raw<Leaf>(nullptr, i);  // too many for the budget
    const Handle<Leaf> survives = chain([&](Leaf* next) { return second.make_raw<Leaf>(next, 1u); });
    Leaf* const leaf = second.make_raw<Leaf>(nullptr, 1u);
    const perfloc::WeakHandle<Leaf> weak(leaf);
    first.make_raw<Leaf>(leaf, 2u);
    first.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    if (!beside) bench.heap.set_pauses({.max = 1ms});
    CHECK(second.end().settled == !beside);
    REQUIRE(inspect::core().first_parked != nullptr);
    bench.settle();
    CHECK(weak.expired());
}

TEST_CASE("a parked scope's references keep alive what had ended before it") {
    Bench bench(1us);
    {
        perfloc::Scope scope{"filled"};
        bench.fill();
    }
    perfloc::DetachedScope first(bench.heap, "first");
    perfloc::DetachedScope second(bench.heap, "second");
    for (std::size_t i = 0; i < kLeaves; ++i) second.make_raw<Leaf>(nullptr, i);  // too many for the budget
    Leaf* const leaf = chain([&](Leaf* next) { return second.make_raw<Leaf>(next, 1u); });
    const perfloc::WeakHandle<Leaf> weak(leaf);
    Leaf* const holder = first.make_raw<Leaf>(leaf, 2u);
    REQUIRE_FALSE(second.end().settled);
    const Leaf* const raw = holder->other;  // of this scope: law [raw]
    first.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE(inspect::core().collection.waiting == 0);
    REQUIRE_FALSE(weak.expired());
    CHECK(raw->value == 1);
    bench.heap.collect_full();
    CHECK(weak.expired());
}

TEST_CASE("a parked scope's reference to what ended after it is cleared: it may be recorded for others that wait") {
    Bench bench;
    const std::uint64_t like_a_header = perfloc::detail::header_of(bench.table.get());
    perfloc::DetachedScope first(bench.heap, "first");
    perfloc::DetachedScope second(bench.heap, "second");
    Leaf* holder = first.make_raw<Leaf>(nullptr, 1u);
    for (std::size_t i = 0; i < kLeaves; ++i) second.make_raw<Leaf>(nullptr, like_a_header);
    Leaf* const in_second = second.make_raw<Leaf>(nullptr, like_a_header);
    Handle<Leaf> in_outer;
    {
        perfloc::Scope outer{"outer"};
        Leaf* const own = perfloc::make_raw<Leaf>(nullptr, 3u);
        in_outer = own;
        holder->other = own;  // recorded for the outer scope
        {
            perfloc::Scope scope{"filled"};
            bench.fill();
        }
        holder->other = in_second;
    }
    REQUIRE(inspect::core().collection.waiting > 0);
    first.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    second.end();
    CHECK(holder->other.get() == nullptr);  // parked: it may be read yet
    bench.settle();
    CHECK(in_outer->value == 3);
}

TEST_CASE("what a parked scope refers to lives on where its scope was kept by one that ended later") {
    Bench bench(500ns);
    perfloc::DetachedScope first(bench.heap, "first");
    perfloc::DetachedScope outer(bench.heap, "outer");
    Leaf* const holder = first.make_raw<Leaf>(nullptr, 1u);
    {
        const perfloc::DetachedScope::Enter in(outer);
        for (int i = 0; i < 50; ++i) perfloc::make_raw<Leaf>(nullptr, 3u);
        perfloc::Scope kept{"kept"};
        for (int i = 0; i < 100; ++i) perfloc::make_raw<Leaf>(nullptr, 5u);
        holder->other = chain([](Leaf* next) { return perfloc::make_raw<Leaf>(next, 42u); });
        {
            perfloc::Scope scope{"filled"};
            bench.fill();
        }
        kept.keep();
        REQUIRE_FALSE(kept.end().settled);  // an inner scope is not settled yet
    }
    const Leaf* const raw = holder->other;  // of this scope: law [raw]
    first.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    CHECK_FALSE(outer.end().settled);
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE(inspect::core().regions.state(inspect::region(raw)) == perfloc::detail::RegionState::open);
    CHECK(raw->value == 42);
    bench.settle();
}

TEST_CASE("while open scopes are collected, a parked scope keeps alive what its reference leads to") {
    Bench bench;
    perfloc::DetachedScope first(bench.heap, "first");
    perfloc::Scope outer{"outer"};
    for (std::size_t i = 0; i < kLeaves; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    perfloc::WeakHandle<Leaf> weak;
    Leaf* const holder = first.make_raw<Leaf>(nullptr, 1u);
    Leaf* const target = perfloc::make_raw<Leaf>(nullptr, 2u);
    weak = perfloc::WeakHandle<Leaf>(target);
    std::optional<perfloc::Scope> inner(std::in_place, perfloc::Label("inner"));
    holder->other = perfloc::make_raw<Leaf>(target, 3u);
    std::optional<perfloc::Scope> innermost(std::in_place, perfloc::Label("innermost"));
    for (std::size_t i = 0; i < kLeaves; ++i) bench[i] = perfloc::make_raw<Leaf>(nullptr, i);  // walked first
    outer.trim();
    bench.step();
    REQUIRE(bench.phase() == "gather");
    bench.heap.set_pauses({.max = 1ns});           // the ends of scopes do next to nothing
    const Leaf* const raw = holder->other->other;  // of the outer scope: law [raw]
    first.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    innermost.reset();
    inner.reset();
    REQUIRE(bench.phase() == "gather");
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE_FALSE(weak.expired());
    CHECK(raw->value == 2);
    bench.heap.set_pauses({.max = 1ms});
    bench.heap.collect_full();
    CHECK(weak.expired());
}

TEST_CASE("a detached scope that ends while roots are gathered, and refers to what is collected, waits for a poll") {
    Bench bench(1us);
    perfloc::DetachedScope second(bench.heap, "second");
    for (std::size_t i = 0; i < kLeaves; ++i) second.make_raw<Leaf>(nullptr, i);  // too many for the budget
    const Handle<Leaf> survives = chain([&](Leaf* next) { return second.make_raw<Leaf>(next, 1u); });
    Leaf* const dead = second.make_raw<Leaf>(nullptr, 1u);
    perfloc::WeakHandle<Leaf> weak;
    {
        perfloc::Scope scope{"filled"};
        for (std::size_t i = 0; i < kLeaves; ++i) perfloc::make_raw<Leaf>(nullptr, i);
        dead->other = chain([](Leaf* next) { return perfloc::make_raw<Leaf>(next, 2u); });  // by nothing else
        weak = perfloc::WeakHandle<Leaf>(dead->other.get());
    }
    REQUIRE(bench.phase() == "gather");
    REQUIRE(inspect::core().collection.waiting == 0);
    const Leaf* const raw = dead->other;  // of this scope: law [raw]
    REQUIRE_FALSE(second.end().settled);
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE_FALSE(weak.expired());
    CHECK(raw->value == 2);
    bench.heap.collect_full();
    CHECK(weak.expired());
}

TEST_CASE("a wait for the collector is a poll: what was shaded before it is not kept") {
    Bench bench;
    perfloc::Scope outer{"outer"};
    Handle<Leaf> kept;
    {
        perfloc::Scope scope{"filled"};
        bench.fill();
        kept = bench[kMiddle].get();
    }
    REQUIRE(bench.run_to("settle"));
    outer.end();
    REQUIRE(inspect::core().collection.waiting == 1);
    Leaf* const raw = bench[0].get();
    bench[0] = nullptr;  // it is shaded for whoever has only `raw`
    REQUIRE_FALSE(inspect::core().collection.settling_shades.empty());
    bench[0] = raw;
    bench.at_safepoint(
        [](perfloc::detail::CollectorInterface& collector) {  // as end_and_wait(), which polls in no other way
            collector.collect_until(std::chrono::steady_clock::now());
        });
    CHECK(inspect::core().collection.settling_shades.empty());
    bench.settle();
}
