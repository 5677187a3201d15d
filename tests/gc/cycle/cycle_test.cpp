#include "gc/mark/mark_bitmap.hpp"

#include "tests/gc/inspect.hpp"
#include "tests/support/catch.hpp"

#include <perfloc/perfloc.hpp>
#include <perfloc/testing.hpp>

#include <sys/mman.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

// Collections beside the program, in a fiber, so that each step is the test's. The budget is so small that every scope is
// condemned whose end something may still name.
namespace {

using namespace std::chrono_literals;
using perfloc::Handle;
using perfloc::Ref;

struct Link {
    Ref<Link> next;
    Ref<Link> other;
    std::uint64_t value = 0;
};

perfloc::Options beside() {
    return {.reserve = 1 << 30,
            .limit = 256 << 20,
            .collector = perfloc::Collector::hinted,
            .pauses = {.max = std::chrono::nanoseconds(500)},
            .collector_thread = false};
}

/// Its destructor holds it for a while.
struct Mourner {
    int* dead = nullptr;
    ~Mourner() {
        const Handle<Mourner> held = this;
        ++*dead;
    }
};

/// Its destructor holds another object for a while.
struct Keepsake {
    Ref<Link> other;
    bool* gone = nullptr;
    ~Keepsake() {
        const Handle<Link> held = other.get();
        *gone = true;
    }
};

/// `n` links, the newest first.
Link* chain(std::size_t n) {
    Link* first = nullptr;
    for (std::size_t i = 0; i < n; ++i) first = perfloc::make_raw<Link>(first, nullptr, i);
    return first;
}

std::size_t length(const Link* link) {
    std::size_t n = 0;
    for (; link != nullptr; link = link->next) ++n;
    return n;
}

/// What the next collection is to keep of the regions that wait.
std::size_t waiting_shades() { return inspect::core().collection.waiting_shades.size(); }

void settle(perfloc::Mutator& me) { REQUIRE(me.collect_until(std::chrono::steady_clock::now() + 60s)); }

}  // namespace

TEST_CASE("an ended scope is settled beside the program, and its survivors are where their referrer is") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    Handle<Link> outer = perfloc::make<Link>();
    {
        perfloc::Scope scope{"large"};
        chain(10'000);
        outer->next = chain(5'000);
        chain(10'000);
    }
    CHECK(inspect::core().collection.active());
    CHECK(length(outer.get()) == 5'001);
    CHECK(heap.verify().ok());
    settle(me);
    CHECK_FALSE(inspect::core().collection.active());
    CHECK(length(outer.get()) == 5'001);
    CHECK(inspect::scope(outer->next.get()) == "(mutator)");
    const perfloc::VerifyReport verdict = heap.verify();
    INFO((verdict.ok() ? "" : verdict.violations.front()));
    CHECK(verdict.ok());
}

TEST_CASE("what a handle holds survives its scope's collection beside the program") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    Handle<Link> kept;
    {
        perfloc::Scope scope{"large"};
        chain(30'000);
        kept = chain(300);
        chain(30'000);
    }
    settle(me);
    CHECK(length(kept.get()) == 300);
    CHECK(heap.verify().ok());
    CHECK(heap.stats().used_bytes() < 1'500'000);
}

TEST_CASE("sparse survivors are evacuated at polls") {
    perfloc::Heap heap([] {
        perfloc::Options options = beside();
        options.pauses = {.max = 1ms};
        return options;
    }());
    perfloc::Mutator me(heap);
    Handle<perfloc::Array<Ref<Link>>> table = perfloc::make_array<Ref<Link>>(100);
    {
        perfloc::Scope scope{"large"};
        for (int i = 0; i < 100; ++i) {
            chain(5'000);
            (*table)[i] = chain(10);
        }
    }
    settle(me);
    for (int i = 0; i < 100; ++i) CHECK(length((*table)[i].get()) == 10);
    CHECK(heap.verify().ok());
    CHECK(heap.stats().used_bytes() < 2'000'000);
}

TEST_CASE("a scope that stays open is collected on demand, and new objects are not touched") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope scope{"open"};
    Handle<Link> kept = chain(1'000);
    for (int i = 0; i < 20; ++i) chain(10'000);
    const auto before = heap.stats().used_bytes();
    scope.trim();
    perfloc::poll();
    Handle<Link> born = chain(1'000);
    settle(me);
    CHECK(heap.stats().used_bytes() < before / 2);
    CHECK(length(kept.get()) == 1'000);
    CHECK(length(born.get()) == 1'000);
    CHECK(heap.verify().ok());
}

TEST_CASE("a handle that a destructor makes to what dies does not keep it for the next collection") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    Handle<Link> kept;
    int mourned = 0;
    {
        perfloc::Scope scope{"mourned"};
        kept = chain(5'000);
        perfloc::make_raw_with<Mourner>([&] { return Mourner{&mourned}; });
    }
    REQUIRE(perfloc::testing::run_to(heap, "destroy"));
    {
        perfloc::Scope scope{"waiting"};
        kept = chain(5'000);
    }
    REQUIRE(inspect::core().collection.waiting == 1);
    while (perfloc::testing::phase(heap) == "destroy") REQUIRE(perfloc::testing::slice(heap));
    CHECK(mourned == 1);
    CHECK(waiting_shades() == 0);
    settle(me);
    CHECK(length(kept.get()) == 5'000);
    CHECK(heap.verify().ok());
}

TEST_CASE("a recorded slot in a span that goes does not keep its target for the next collection") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    Link* const dead_slots = chain(20'000);
    std::optional<perfloc::Scope> inner;
    inner.emplace(perfloc::Label("inner"));
    const Handle<Link> kept = perfloc::make<Link>();  // holds the span, so that it is adopted
    for (Link* link = dead_slots; link != nullptr; link = link->next) link->other = perfloc::make_raw<Link>();
    outer.trim();
    perfloc::poll();
    REQUIRE(perfloc::testing::run_to(heap, "settle"));
    inner.reset();
    REQUIRE(inspect::core().collection.waiting == 1);
    while (perfloc::testing::phase(heap) != "idle") REQUIRE(perfloc::testing::slice(heap));
    CHECK(waiting_shades() == 0);
    settle(me);
    CHECK(kept.get() != nullptr);
    CHECK(heap.verify().ok());
}

TEST_CASE("what was shaded for a scope that is merged in the end is forgotten with it") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    std::optional<perfloc::Scope> inner;
    inner.emplace(perfloc::Label("inner"));
    chain(20'000);
    outer.trim();
    perfloc::poll();
    REQUIRE(inspect::core().collection.active());
    Link* const garbage = perfloc::make_raw_in<Link>(outer);
    garbage->next = perfloc::make_raw<Link>();
    inner->keep();
    inner.reset();
    REQUIRE(inspect::core().collection.waiting == 1);  // its end, and what garbage->next refers to
    heap.collect_full();
    CHECK(waiting_shades() == 0);
    const perfloc::VerifyReport verdict = heap.verify();
    INFO((verdict.ok() ? "" : verdict.violations.front()));
    CHECK(verdict.ok());
}

TEST_CASE("what is shaded while it settles is forgotten if no scope that waits adopts it") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    Handle<Link> kept, other;
    {
        perfloc::Scope first{"first"};
        kept = chain(20'000);
    }
    while (perfloc::testing::phase(heap) != "agree") REQUIRE(perfloc::testing::slice(heap));
    {
        perfloc::Scope second{"second"};
        other = chain(5'000);
    }
    REQUIRE(inspect::core().collection.waiting == 1);
    REQUIRE(perfloc::testing::phase(heap) == "sweep");  // that end has answered, and no more
    {
        const Handle<Link> seen = kept->next;
    }
    CHECK(!inspect::core().collection.settling_shades.empty());
    const auto cycle = inspect::core().collection.cycle;
    while (perfloc::testing::phase(heap) != "idle" && inspect::core().collection.cycle == cycle) {
        REQUIRE(perfloc::testing::slice(heap));
    }
    CHECK(inspect::core().collection.settling_shades.empty());
    CHECK(waiting_shades() == 0);
    CHECK(heap.verify().ok());
    settle(me);
    CHECK(length(kept.get()) == 20'000);
    CHECK(length(other.get()) == 5'000);
}

TEST_CASE("what is shaded of open scopes while they settle is not kept for what waits: it ends with its scope") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    const Handle<Link> kept = chain(20'000);
    auto inner = std::make_unique<perfloc::Scope>(perfloc::Label("inner"));
    outer.trim();
    perfloc::poll();
    REQUIRE(perfloc::testing::run_to(heap, "agree"));
    inner.reset();  // a poll begins its collection
    REQUIRE(inspect::core().collection.waiting == 1);
    REQUIRE(perfloc::testing::phase(heap) == "sweep");
    {
        const Handle<Link> seen = kept->next;
    }
    CHECK(inspect::core().collection.settling_shades.empty());
    settle(me);
    CHECK(length(kept.get()) == 20'000);
    CHECK(heap.verify().ok());
}

TEST_CASE(
    "a pointer outside a detached scope outlives that one, if its object's own scope had ended and came there later") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::DetachedScope bucket(heap, "bucket");
    Handle<Link> kept;
    {
        perfloc::DetachedScope::Enter in(bucket);
        perfloc::Scope request{"request"};
        kept = chain(5'000);
    }
    REQUIRE(inspect::core().collection.active());  // the request is not settled yet
    Link* const outside = kept.get();              // law [raw]: as if its object lived in the mutator's own scope
    while (perfloc::testing::phase(heap) != "idle") REQUIRE(perfloc::testing::slice(heap));
    kept.reset();
    CHECK_FALSE(bucket.end().settled);
    CHECK(length(outside) == 5'000);
    CHECK(heap.verify().ok());
    settle(me);
    CHECK(heap.verify().ok());
}

TEST_CASE("what is shaded while it settles is kept by the scope that waits and adopts it") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    Handle<Link> held;
    std::optional<perfloc::WeakHandle<Link>> weak;
    {
        perfloc::Scope outer{"outer"};
        {
            perfloc::Scope inner{"inner"};
            held = chain(5'000);
            weak.emplace(held.get());
        }
        while (perfloc::testing::phase(heap) != "agree") REQUIRE(perfloc::testing::slice(heap));
    }
    REQUIRE(inspect::core().collection.waiting == 1);
    REQUIRE(perfloc::testing::phase(heap) == "sweep");  // the end of a scope answers, and does no more then
    const Link* const outside = held.get();
    held.reset();
    REQUIRE(inspect::core().collection.settling_shades.size() == 1);
    while (inspect::core().collection.active() && perfloc::testing::slice(heap)) {
    }
    REQUIRE(inspect::core().collection.waiting == 0);
    CHECK_FALSE(weak->expired());
    CHECK(length(outside) == 5'000);
    CHECK(heap.verify().ok());
}

TEST_CASE("what destructors hold for a while in a poll is not shaded past it, since it may move next") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    Handle<Link> kept, other;
    bool gone = false;
    {
        perfloc::Scope scope{"scope"};
        kept = chain(5'000);
        perfloc::make_raw_with<Keepsake>([&] { return Keepsake{kept.get(), &gone}; });
    }
    REQUIRE(perfloc::testing::run_to(heap, "agree"));
    {
        perfloc::Scope scope{"waiting"};
        other = chain(5'000);
    }
    REQUIRE(inspect::core().collection.waiting == 1);
    REQUIRE(perfloc::testing::phase(heap) == "sweep");  // the end of a scope answers, and does no more then
    while (!gone) perfloc::poll();
    CHECK(inspect::core().collection.settling_shades.empty());
    CHECK(waiting_shades() == 0);
    settle(me);
    CHECK(length(kept.get()) == 5'000);
    CHECK(heap.verify().ok());
}

TEST_CASE("a scope that was collected while it was open still knows what is in it") {
    perfloc::Options options = beside();
    options.pauses = {.max = 1s};
    perfloc::Heap heap(options);
    perfloc::Mutator me(heap);
    const Handle<Link> outer = perfloc::make<Link>();
    perfloc::Scope scope{"open"};
    Link* first = nullptr;
    for (int i = 0; i < 500; ++i) {
        perfloc::make_raw<Link>();
        first = perfloc::make_raw<Link>(first);
    }
    const Handle<Link> kept = first;  // holds its span, so that it is adopted with what is dead in it
    outer->next = kept.get();
    for (int i = 0; i < 3; ++i) {
        scope.trim();
        perfloc::poll();
        settle(me);
    }
    REQUIRE(inspect::span(kept.get()).live_map);
    const perfloc::ScopeReport report = scope.end();
    CHECK(report.promoted_bytes >= 500 * sizeof(Link));
    CHECK(report.allocated_bytes == report.promoted_bytes + report.released_bytes);
    CHECK(heap.verify().ok());
}

// law [slice]
TEST_CASE("to look at a large object takes no longer than at a page") {
    perfloc::Heap heap({.reserve = 1 << 30, .limit = 256 << 20, .collector_thread = false});
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    const Handle<perfloc::Array<std::uint64_t>> words = perfloc::make_array<std::uint64_t>(std::size_t{8} << 20);
    perfloc::make_array<std::uint64_t>(std::size_t{8} << 20);  // dead
    outer.trim();
    settle(me);
    CHECK(inspect::core().collection.counts.pressure_cycles == 1);
    CHECK(heap.stats().used_bytes() < std::size_t{100} << 20);
    CHECK(heap.verify().ok());
    // The marks of its middle were never touched.
    const perfloc::gc::MarkBitmap marks(inspect::core().memory);
    const auto at = reinterpret_cast<std::uintptr_t>(marks.word_for(&(*words)[std::size_t{4} << 20]));
    unsigned char resident = 0xff;
    REQUIRE(::mincore(reinterpret_cast<void*>(at / 4096 * 4096), 1, &resident) == 0);
    CHECK((resident & 1) == 0);
}

TEST_CASE("of many large scopes that were kept, a collection of the scope around them forgets the records too") {
    perfloc::Heap heap([] {
        perfloc::Options options = beside();
        options.reserve = 64 << 20;  // with room for the records of 4096 regions
        return options;
    }());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    const Handle<perfloc::Array<Ref<Link>>> table = perfloc::make_array<Ref<Link>>(50);
    const auto used_at_first = inspect::core().regions.end();
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < 50; ++i) {
            perfloc::Scope inner{"inner"};
            for (int n = 0; n < 9; ++n)
                perfloc::make_raw_array<char>(33 * 1024);  // so many spans that they are not told at once
            (*table)[i] = chain(3);
            inner.keep();
        }
        outer.trim();
        settle(me);
        for (int i = 0; i < 50; ++i) REQUIRE(length((*table)[i].get()) == 3);
        REQUIRE(heap.verify().ok());
    }
    CHECK(inspect::core().regions.end() < used_at_first + 200);
}

TEST_CASE("a large object of a scope that was kept is the scope's around it, whole, after a collection") {
    perfloc::Heap heap(beside());
    perfloc::Mutator me(heap);
    perfloc::Scope outer{"outer"};
    Handle<perfloc::Array<char>> large;
    {
        perfloc::Scope inner{"inner"};
        large = perfloc::make_array<char>(8 << 20);
        inner.keep();
    }
    const auto region_at = [&](std::size_t offset) {
        return inspect::core().pages.region_at(large.get()->data() + offset);
    };
    REQUIRE(region_at(0) != inspect::region(large.get()).index);
    outer.trim();
    settle(me);
    for (std::size_t offset = 0; offset < large->size(); offset += 4096) {
        REQUIRE(region_at(offset) == inspect::region(large.get()).index);
    }
    CHECK(inspect::scope(large.get()) == "outer");
    CHECK(heap.verify().ok());
}
