#include "tests/api/objects.hpp"
#include "tests/gc/cycle/sparse_bench.hpp"

#include <optional>
#include <thread>
#include <vector>

// A scope that grows large without a poll gives a collection beside the program its slices when it takes memory.
using namespace sparse;

namespace {

constexpr std::size_t kMost = 400 << 20, kPiece = 64 << 10;  // bytes

/// A scope of which a chain survives, by table[0], ends and is condemned.
void end_one(Bench& bench) {
    perfloc::Scope scope{"large"};
    Leaf* last = nullptr;
    for (std::size_t i = 0; i < kLeaves * kEvery; ++i) last = perfloc::make_raw<Leaf>(last, i);
    bench[0] = last;
    REQUIRE_FALSE(scope.end().settled);
}

/// Makes garbage in the current scope until the condition holds; false where so much was made in vain.
template <class Done>
bool make_until(Done&& done) {
    for (std::size_t bytes = 0; bytes < kMost; bytes += kPiece) {
        for (std::size_t i = 0; i < kPiece / 24; ++i) perfloc::make_raw<Leaf>(nullptr, i);
        if (done()) return true;
    }
    return false;
}

/// Its constructor makes a mebibyte in a scope that is large already.
class Maker {
public:
    Maker() {
        for (std::size_t i = 0; i < (1 << 20) / 24; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    }
    void trace(perfloc::Tracer& tracer) const { tracer(unused_); }

private:
    Ref<Leaf> unused_;
};

/// Over-aligned types are pinned. With its header it takes two cache lines.
struct alignas(64) Pinned {
    Ref<Leaf> unused;
    std::uint64_t value = 0;
};

}  // namespace

TEST_CASE("a large scope that neither polls nor has inner scopes does not keep the collection of another one waiting") {
    Bench bench(100us, 768 << 20, 0.9);
    enum class Made { small, large, pinned, elsewhere };
    const Made kind = GENERATE(Made::small, Made::large, Made::pinned, Made::elsewhere);
    end_one(bench);
    REQUIRE(bench.phase() != "idle");
    perfloc::Scope scope{"growing"};
    perfloc::Scope inner{"inner"};  // objects of `elsewhere` are not made in the innermost scope
    if (kind != Made::elsewhere) inner.end();
    Leaf* const early = perfloc::make_raw_in<Leaf>(scope, nullptr, 17u);
    const auto ended = [&] { return bench.phase() == "idle"; };
    if (kind == Made::small) {
        CHECK(make_until(ended));
    } else {
        for (std::size_t made = 0; made < kMost && !ended(); made += kPiece) {
            if (kind == Made::large) perfloc::make_raw_array<char>(kPiece);
            for (std::size_t i = 0; kind == Made::pinned && i < kPiece / 128; ++i) perfloc::make_raw<Pinned>();
            for (std::size_t i = 0; kind == Made::elsewhere && i < kPiece / 24; ++i) {
                perfloc::make_raw_in<Leaf>(scope, nullptr, i);
            }
        }
        CHECK(ended());
    }
    CHECK(early->value == 17);  // nothing of an open scope has moved
    CHECK(length(bench[0]) == kLeaves * kEvery);
    CHECK(inspect::scope(bench[0].get()) == inspect::scope(bench.table.get()));
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("allocation runs no destructor and clears no weak handle") {
    Bench bench(100us, 768 << 20, 0.9);
    std::vector<int> log;
    std::optional<perfloc::WeakHandle<Leaf>> dead;
    {
        perfloc::Scope scope{"mortal"};
        for (int i = 0; i < 5000; ++i) perfloc::make_raw<objects::Mortal>(log, i);
        dead.emplace(perfloc::make_raw<Leaf>(nullptr, 1u));
        bench[0] = perfloc::make_raw<Leaf>(nullptr, 2u);
        REQUIRE_FALSE(scope.end().settled);
    }
    const perfloc::WeakHandle<Leaf> living(bench[0].get());
    perfloc::Scope scope{"growing"};
    REQUIRE(make_until([&] { return bench.phase() == "clear"; }));
    for (std::size_t i = 0; i < (16 << 20) / 24; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    CHECK(bench.phase() == "clear");
    CHECK(log.empty());
    // Neither while the destructors run.
    while (log.empty()) bench.step();
    REQUIRE(bench.phase() == "destroy");
    const std::size_t run = log.size();
    REQUIRE(run < 5000);
    for (std::size_t i = 0; i < (16 << 20) / 24; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    CHECK(log.size() == run);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(log.size() == 5000);
    CHECK(dead->expired());
    CHECK(bench[0]->value == 2);
    CHECK(living.lock().get() == bench[0].get());
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("no slice is given while a constructor runs, and none under NoPause") {
    Bench bench(100us, 768 << 20, 0.9);
    end_one(bench);
    perfloc::Scope scope{"growing"};
    REQUIRE(bench.phase() == "gather");
    const auto pauses = [&] { return bench.heap.stats().pauses().count(); };
    const auto count = pauses();
    {
        const perfloc::NoPause no_pause;
        for (std::size_t i = 0; i < (48 << 20) / 24; ++i) perfloc::make_raw<Leaf>(nullptr, i);
    }
    for (int i = 0; i < 48; ++i) perfloc::make_raw<Maker>();
    CHECK(pauses() == count);
    CHECK(bench.phase() == "gather");
    CHECK(make_until([&] { return pauses() > count; }));
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(length(bench[0]) == kLeaves * kEvery);
}

TEST_CASE("large objects alone answer the collector's handshakes") {
    perfloc::Heap heap({.reserve = 2u << 30, .limit = 768 << 20, .collector = perfloc::Collector::hinted});
    perfloc::Mutator me(heap);
    const Handle<Table> table = perfloc::make_array<Ref<Leaf>>(1);
    {
        perfloc::Scope scope{"large"};
        Leaf* last = nullptr;
        for (std::size_t i = 0; i < kLeaves * kEvery; ++i) last = perfloc::make_raw<Leaf>(last, i);
        (*table)[0] = last;
        REQUIRE_FALSE(scope.end().settled);
    }
    perfloc::Scope scope{"growing"};
    const auto phase = [&] { return perfloc::testing::phase(heap); };
    const auto until = std::chrono::steady_clock::now() + 60s;
    for (std::size_t made = 0; made < kMost && phase() != "idle"; made += kPiece) {
        while ((phase() == "mark" || phase() == "sweep") && std::chrono::steady_clock::now() < until) {
            std::this_thread::sleep_for(100us);
        }
        perfloc::make_raw_array<char>(kPiece);
    }
    CHECK(phase() == "idle");
    CHECK(length((*table)[0].get()) == kLeaves * kEvery);
}

TEST_CASE("no slice is given where nothing may be done before a poll") {
    Bench bench(100us, 768 << 20, 0.9);
    std::vector<int> log;
    const bool waiting = GENERATE(false, true);
    std::optional<perfloc::DetachedScope> other;
    if (waiting) other.emplace(bench.heap, perfloc::Label("other"));
    if (waiting) bench[1] = other->make_raw<Leaf>(nullptr, 1u);
    perfloc::Scope growing{"growing"};
    {
        perfloc::Scope scope{"ended"};
        for (int i = 0; i < 5000; ++i) perfloc::make_raw<objects::Mortal>(log, i);
        if (waiting) bench[1]->other = perfloc::make_raw<Leaf>(nullptr, 2u);
        bench[0] = perfloc::make_raw<Leaf>(nullptr, 3u);
        REQUIRE_FALSE(scope.end().settled);
    }
    if (waiting) {  // a detached scope whose slots are recorded elsewhere, and what refers to its objects is loaded anywhere
        while (bench.phase() != "idle") bench.step();
        other->end();
    }
    const auto pauses = [&] { return bench.heap.stats().pauses().count(); };
    const auto make = [](std::size_t bytes) {
        for (std::size_t made = 0; made < bytes; made += 40'000) perfloc::make_raw_array<char>(40'000);
    };
    make(100 << 20);
    REQUIRE(bench.phase() == (waiting ? "idle" : "destroy"));
    REQUIRE(inspect::core().collection.waiting == (waiting ? 1 : 0));
    const auto before = pauses();
    make(100 << 20);
    CHECK(pauses() == before);
    REQUIRE(bench.me.collect_until(std::chrono::steady_clock::now() + 60s));
    CHECK(log.size() == 5000);
    CHECK(bench.heap.verify().ok());
}
