#include "tests/gc/inspect.hpp"
#include "tests/support/catch.hpp"

#include <perfloc/perfloc.hpp>

#include <chrono>
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
