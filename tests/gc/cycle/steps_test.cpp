#include "runtime/sanitizers.hpp"
#include "runtime/scope_tree.hpp"
#include "tests/gc/cycle/sparse_bench.hpp"

// law [slice]: what a program may make any amount of is dealt with a piece at a time.
using namespace sparse;

namespace {

void recurse(int depth) {
    if (depth == 0) return;
    const perfloc::Scope scope{"recursion"};
    perfloc::make_raw<Leaf>(nullptr, 1u);
    recurse(depth - 1);
}

}  // namespace

TEST_CASE("spares that a recursion has left go a few at a time") {
    if (perfloc::detail::kAsan) return;  // there are none
    constexpr int kDepth = 1000;
    Bench bench(1us);
    recurse(kDepth);
    const perfloc::Bytes before = bench.heap.stats().used_bytes();
    bench.heap.root().trim();
    bench.me.poll();  // which gives no slice
    const perfloc::Bytes begun = bench.heap.stats().used_bytes();
    CHECK(before - begun <= 32 * perfloc::detail::kPageBytes);
    REQUIRE(inspect::core().first_dropped != nullptr);
    SECTION("in slices") { REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s)); }
    SECTION("where scopes end") {
        for (int i = 0; i < kDepth; ++i) {
            const perfloc::Scope scope{"recursion"};
            const Handle<Leaf> held = perfloc::make<Leaf>(nullptr, 2u);
            bench[0] = held.get();
        }
    }
    SECTION("where memory is short") { CHECK(perfloc::detail::release_spares(inspect::core())); }
    CHECK(inspect::core().first_dropped == nullptr);
    CHECK(bench.heap.stats().used_bytes() < before - (kDepth - 100) * perfloc::detail::kPageBytes);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    recurse(kDepth);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a NoPause is given the memory of spares that a recursion has left") {
    if (perfloc::detail::kAsan) return;  // there are none
    Bench bench(1us);
    perfloc::DetachedScope session{bench.heap, "session"};
    {
        const perfloc::DetachedScope::Enter enter(session);
        recurse(1000);
    }
    session.end();
    REQUIRE(inspect::core().first_dropped != nullptr);
    REQUIRE(bench.phase() == "idle");
    const perfloc::Stats stats = bench.heap.stats();
    const perfloc::NoPause no_pause(stats.limit_bytes() - stats.used_bytes() + perfloc::detail::kBlockBytes);
    CHECK(inspect::core().first_dropped == nullptr);
}

TEST_CASE("of a large object that dies in an open scope, the pages go a piece at a time") {
    using Bytes = perfloc::Array<char>;
    constexpr std::size_t kBytes = 40 << 20;  // two pieces and a half
    Bench bench(1us);
    Handle<Bytes> large = perfloc::make_array<char>(kBytes);
    const std::uint32_t page = inspect::core().pages.page_of(large.get());
    const auto region_of = [&](std::size_t at) {
        return inspect::core().pages.region_at(inspect::core().pages.address_of(page + static_cast<std::uint32_t>(at)));
    };
    const std::uint32_t open = region_of(0);
    const std::size_t last = kBytes / perfloc::detail::kPageBytes - 1;
    large = nullptr;
    const perfloc::Bytes before = bench.heap.stats().used_bytes();
    bench.heap.root().trim();
    REQUIRE(bench.run_to("follow"));
    while (region_of(last) == open) bench.step();
    CHECK(region_of(last / 2) == open);
    CHECK(region_of(0) == open);
    while (region_of(last / 2) == open) bench.step();
    CHECK(region_of(0) == open);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(bench.heap.stats().used_bytes() <= before - kBytes);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("no step of the collector is none") {
    Bench bench(1us);
    bench.fill();
    bench.heap.root().trim();
    REQUIRE(bench.run_to("mark"));
    CHECK_FALSE(perfloc::testing::step_collector(bench.heap, 0));
    CHECK(bench.phase() == "mark");
}
