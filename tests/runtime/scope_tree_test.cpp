#include "runtime/scope_tree.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"
#include "runtime/heap_core.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

using namespace perfloc;
using namespace perfloc::detail;
using objects::Node;

namespace {

/// Chunks that somebody has: all that there are, but those that can be taken before the pool grows.
std::size_t chunks_in_use(ChunkPool& pool) {
    const std::size_t bytes = pool.bytes();
    std::vector<void*> taken;
    do {
        taken.push_back(pool.take());
    } while (pool.bytes() == bytes);
    for (void* const chunk : taken) pool.give(chunk);
    return bytes / kChunkBytes - (taken.size() - 1);
}

void escape(Handle<Node>& outer, int objects) { outer->left = objects::chain(objects); }

}  // namespace

TEST_CASE("what a collection lists of a heap that is full of small objects has room beside it") {
    Options options{.reserve = 16_MiB, .limit = 16_MiB, .collector_thread = false};
    Heap heap(options);
    Mutator me(heap);
    const auto settle = [&] { REQUIRE(me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1))); };
    SECTION("handles") {
        std::vector<Handle<objects::Leaf>> handles;
        for (int i = 0; i < 100'000; ++i) handles.push_back(make<objects::Leaf>(i));
        heap.root().trim();
        settle();
        for (int i = 0; i < 100'000; ++i) REQUIRE(handles[static_cast<std::size_t>(i)]->value == i);
    }
    SECTION("slots") {
        auto outer = make_array<Ref<objects::Leaf>>(100'000);
        {
            Scope scope{"slots"};
            for (std::size_t i = 0; i < 100'000; ++i) (*outer)[i] = make_raw<objects::Leaf>(static_cast<int>(i));
        }
        settle();
        for (std::size_t i = 0; i < 100'000; ++i) REQUIRE((*outer)[i]->value == static_cast<int>(i));
    }
    CHECK(heap.verify().ok());
}

TEST_CASE("scopes that are nested deep, or were spare, do not use up the memory for recorded slots") {
    Heap heap({.reserve = 16_MiB, .commit = Commit::in_steps});  // which has less room
    Mutator me(heap);
    ChunkPool& pool = current_heap("the test").chunks;
    const std::size_t most = current_heap("the test").memory.area_bytes(Area::chunks);
    REQUIRE(most == 2_MiB);
    auto outer = make<Node>();
    SECTION("deep: each has a chunk at its end only") {
        const std::function<void(int)> nest = [&](int depth) {
            Scope scope{"deep"};
            make_raw<Node>();
            if (depth > 1) nest(depth - 1);
            escape(outer, 1);
        };
        nest(2300);
    }
    SECTION("spare scopes of detached ones") {
        std::vector<std::unique_ptr<DetachedScope>> sessions;
        for (int i = 0; i < 1400; ++i) {
            sessions.push_back(std::unique_ptr<DetachedScope>(new DetachedScope(heap, "session")));
            const DetachedScope::Enter in(*sessions.back());
            auto result = make<Node>();
            Scope request{"request"};
            escape(result, 1);
        }
    }
    CHECK(pool.bytes() < most);
    CHECK(heap.verify().ok());
}

TEST_CASE("at the limit spare scopes give their memory up, and those that are open do not") {
    Heap heap(objects::small());
    Mutator me(heap);
    HeapCore& core = current_heap("the test");
    const auto spare_below = [](const Region& region) { return region.spare_region(); };
    Scope outer{"outer"};
    DetachedScope bucket(heap, "bucket"), closed(heap, "closed");
    {
        const DetachedScope::Enter in(closed);
        Scope scope{"spare"};
        make_raw<Node>();
    }
    Region& of_closed = *core.first_detached;
    REQUIRE((spare_below(of_closed) != nullptr) == !kAsan);  // which is told of all that is released
    const DetachedScope::Enter in(bucket);
    Scope inner{"inner"};
    const Handle<Node> held = make<Node>();
    Region* const open = core.current_region();
    Region& of_bucket = *open->parent_region();
    REQUIRE(of_bucket.detached);
    REQUIRE(spare_below(of_bucket) == open);
    {
        Scope scope{"spare"};
        make_raw<Node>();
    }
    REQUIRE((spare_below(*open) != nullptr) == !kAsan);

    CHECK(release_spares(core) == !kAsan);
    CHECK(spare_below(of_closed) == nullptr);
    CHECK(spare_below(*open) == nullptr);
    CHECK(spare_below(of_bucket) == open);
    CHECK(core.regions.state(*open) == RegionState::open);
    CHECK_FALSE(release_spares(core));
    make_raw<Node>();
    CHECK(held->left.get() == nullptr);
    CHECK(heap.verify().ok());
}

TEST_CASE("what stress modes hold back gives up its records before a scope is refused one") {
    const Environment stress("PERFLOC_STRESS", "poison");
    Heap heap({.reserve = 256_MiB, .limit = 256_MiB});
    Mutator me(heap);
    const std::size_t records = 256_MiB / kBlockBytes * 16;
    for (std::size_t i = 0; i < 2 * records; ++i) {
        Scope scope{"tiny"};
        make_raw<Node>();
    }
    CHECK(heap.stats().used_bytes() < 1_MiB);
}

// law [remset] costs memory only as long as it must.
TEST_CASE("in whichever way scopes end, what they remembered with is used again") {
    Heap heap(objects::small());
    Mutator me(heap);
    ChunkPool& pool = current_heap("the test").chunks;
    auto outer = make<Node>();
    const auto settle = [&] { REQUIRE(me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1))); };
    const std::vector<void (*)(Heap&, Handle<Node>&)> ways{
        [](Heap&, Handle<Node>& to) {  // a spare scope, used again
            for (int i = 0; i < 3; ++i) {
                Scope promoted{"promoted"};
                escape(to, 2);
            }
        },
        [](Heap&, Handle<Node>& to) {  // spare scopes of spare scopes, which go with the outermost
            Scope a{"a"};
            escape(to, 2);
            Scope b{"b"};
            escape(to, 2);
            {
                Scope c{"c"};
                escape(to, 2);
            }
            objects::chain(20'000);  // too large to be a spare itself
        },
        [](Heap&, Handle<Node>& to) {  // a spare scope that nothing is stored from this time, and that is kept
            {
                Scope spare{"spare"};
                escape(to, 2);
            }
            Scope kept{"kept"};
            kept.keep();
        },
        [](Heap&, Handle<Node>& to) {  // ... into one that was spare too
            {
                Scope spare{"spare"};
                escape(to, 2);
                Scope inner{"inner"};
                escape(to, 2);
            }
            Scope around{"around"};
            Scope kept{"kept"};
            kept.keep();
            escape(to, 2);
        },
        [](Heap&, Handle<Node>& to) {  // a spare scope that is condemned
            {
                Scope spare{"condemned"};
                escape(to, 2);
            }
            Scope condemned{"condemned"};
            escape(to, 50'000);
        },
        [](Heap& of, Handle<Node>& to) {
            DetachedScope detached(of, "detached");
            {
                const DetachedScope::Enter in(detached);
                escape(to, 2);
            }
            detached.end();
        },
    };
    for (const auto& way : ways) {
        const auto round = [&] {
            {
                Scope bounds{"bounds"};
                auto inner = make<Node>();
                way(heap, inner);
            }
            way(heap, outer);
            outer->left = nullptr;
            settle();
        };
        for (int i = 0; i < 3; ++i) round();
        const std::size_t before = chunks_in_use(pool);
        for (int i = 0; i < 20; ++i) round();
        CAPTURE(&way - ways.data());
        CHECK(chunks_in_use(pool) <= before + 3);
    }
}
