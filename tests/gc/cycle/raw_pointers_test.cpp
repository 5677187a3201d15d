#include "tests/gc/cycle/sparse_bench.hpp"

#include <optional>

// law [raw] between a scope's end and the next poll, where the program may hold plain pointers that no root names.
using namespace sparse;

namespace {

/// A large scope ends, of which some survives: its roots are being gathered.
void begin_gathering(Bench& bench) {
    {
        perfloc::Scope scope{"filled"};
        bench.fill();
    }
    REQUIRE(bench.phase() == "gather");
}

}  // namespace

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
    begin_gathering(bench);
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

// The property test found the object promoted, and its destructor not called.
TEST_CASE("a parked scope keeps what ended before it alive until the next poll") {
    const bool polls = GENERATE(false, true);
    Bench bench(1us);
    begin_gathering(bench);
    perfloc::DetachedScope named(bench.heap, "named");
    perfloc::DetachedScope ended(bench.heap, "ended");
    for (std::size_t i = 0; i < kLeaves; ++i) ended.make_raw<Leaf>(nullptr, i);  // too many for the budget
    const Handle<Leaf> survives = chain([&](Leaf* next) { return ended.make_raw<Leaf>(next, 1u); });
    Leaf* const leaf = ended.make_raw<Leaf>(nullptr, 77u);
    const perfloc::WeakHandle<Leaf> weak(leaf);
    Leaf* const dead = named.make_raw<Leaf>(leaf, 2u);
    REQUIRE_FALSE(ended.end().settled);
    const Leaf* const raw = dead->other.get();
    named.end();
    REQUIRE(inspect::core().first_parked != nullptr);
    const std::uint32_t cycle = inspect::core().collection.cycle;
    if (polls) {
        perfloc::poll();
        REQUIRE(inspect::core().collection.cycle == cycle);  // what comes next has not begun
        REQUIRE(inspect::core().first_parked != nullptr);
    }
    bench.at_safepoint([](perfloc::detail::CollectorInterface& collector) { collector.relieve(); });  // is no poll
    REQUIRE(inspect::core().collection.cycle == cycle + 1);
    CHECK(weak.expired() == polls);
    if (!polls) CHECK(raw->value == 77);
    bench.heap.collect_full();
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

namespace {

/// It never moves, so what lives beside it keeps its span.
class Nailed {
public:
    explicit Nailed(Leaf* target) : ref(target) {}
    Nailed(const Nailed&) = delete;
    void trace(perfloc::Tracer& tracer) const { tracer(ref); }

    Ref<Leaf> ref;
};
static_assert(!perfloc::detail::may_move<Nailed>);

}  // namespace

// Protocol P20. An adversary's reading found this.
TEST_CASE("what a dead object of a detached scope named outlives that scope's end, while it is gathered") {
    Bench bench;
    perfloc::DetachedScope named(bench.heap, "named");
    Nailed* const dead = named.make_raw<Nailed>(nullptr);
    const Handle<Nailed> beside(named.make_raw<Nailed>(nullptr));
    REQUIRE(&inspect::span(dead) == &inspect::span(beside.get()));
    {
        perfloc::Scope scope{"filled"};
        bench.fill();
        dead->ref = perfloc::make_raw<Leaf>(nullptr, 77u);
    }
    REQUIRE(bench.phase() == "gather");
    const Leaf* const raw = dead->ref.get();
    const perfloc::WeakHandle<Leaf> weak(dead->ref.get());
    CHECK_FALSE(named.end().settled);
    while (bench.phase() != "idle" && perfloc::testing::slice(bench.heap)) {  // no poll
    }
    REQUIRE_FALSE(weak.expired());
    CHECK(raw->value == 77);
    bench.settle();
    bench.heap.collect_full();
    CHECK(weak.expired());
}
