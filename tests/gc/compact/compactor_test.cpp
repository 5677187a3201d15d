#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"
#include "gc/graph.hpp"
#include "gc/inspect.hpp"

#include <memory>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

namespace {

/// Collects the same graph several times, with garbage in between, and compares it each time.
void collects_unchanged(std::uint64_t seed, const graph::Shape& shape, Collector collector = Collector::full) {
    INFO("seed " << seed << ", extra " << shape.extra << ", arrays " << shape.array << ", linked " << shape.linked);
    Heap heap(objects::small(collector));
    Mutator me(heap);
    graph::Random random(seed);
    Scope outer{"outer"};
    std::vector<Handle<graph::Cell>> roots = graph::make(random, shape);
    Scope inner{"inner"};
    for (int round = 0; round < 3; ++round) {
        auto more =
            graph::make(random, {.cells = shape.cells / 4, .roots = 3, .extra = shape.extra, .array = shape.array});
        for (auto& root : more) root->a = roots[random.below(roots.size())];
        if (collector == Collector::full) roots[random.below(roots.size())]->b = more.front();
        roots.insert(roots.end(), more.begin(), more.end());
        roots.erase(roots.begin() + static_cast<std::ptrdiff_t>(random.below(roots.size())));
        const graph::Copy before(roots);
        heap.collect_full();
        REQUIRE(graph::Copy(roots) == before);
        const VerifyReport report = heap.verify();
        INFO((report.ok() ? std::string() : report.violations.front()));
        REQUIRE(report.ok());
        REQUIRE(heap.stats().last_full().live_objects >= before.size());
    }
}

}  // namespace

TEST_CASE("random graphs are the same after a full collection") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        collects_unchanged(seed, {.cells = 4000, .linked = 0.1 * static_cast<double>(1 + seed % 9)});
    }
}

TEST_CASE("random graphs of objects of many sizes are the same after a full collection") {
    for (std::uint64_t seed = 1; seed <= 15; ++seed) {
        collects_unchanged(
            seed, {.cells = 1500, .extra = 2000, .array = 600, .linked = 0.1 * static_cast<double>(1 + seed % 9)});
    }
}

TEST_CASE("random graphs are the same after a full collection under hinted") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        collects_unchanged(seed, {.cells = 3000, .extra = 300, .array = 100}, Collector::hinted);
    }
}

TEST_CASE("objects of nearly 32 KiB at the borders of spans slide whole") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Heap heap(objects::small(Collector::full));
        Mutator me(heap);
        graph::Random random(seed);
        std::vector<Handle<graph::Cell>> all;
        const auto fill = [](graph::Cell& cell, std::size_t extra) {
            std::memset(static_cast<void*>(&cell + 1), static_cast<int>(cell.id & 0xff), extra);
        };
        std::vector<std::size_t> sizes;
        for (int i = 0; i < 600; ++i) {
            const std::size_t largest = detail::kLargeBytes - detail::kHeaderBytes - sizeof(graph::Cell);
            const std::size_t extra =
                (largest - random.below(3) * 8 - random.below(4) * random.below(3000)) & ~std::size_t{7};
            auto cell = make<graph::Cell>();
            if (random.below(2) == 0)
                cell = make_raw<graph::Cell>(ExtraBytes{extra});
            else
                cell = make_raw<graph::Cell>(ExtraBytes{random.below(100) * 8});
            cell->id = random.below(1u << 30);
            const std::size_t behind =
                detail::header_count(detail::header_of(cell.get())) * 8 - 8 - sizeof(graph::Cell);
            fill(*cell, behind);
            if (random.below(2) == 0) continue;  // dies
            if (!all.empty()) cell->a = all[random.below(all.size())];
            all.push_back(cell);
            sizes.push_back(behind);
        }
        const graph::Copy before(all);
        for (int round = 0; round < 2; ++round) {
            heap.collect_full();
            REQUIRE(graph::Copy(all) == before);
            for (std::size_t i = 0; i < all.size(); ++i) {
                const auto* const bytes = reinterpret_cast<const unsigned char*>(all[i].get() + 1);
                for (std::size_t at = 0; at < sizes[i]; at += 64) REQUIRE(bytes[at] == (all[i]->id & 0xff));
            }
            REQUIRE(heap.verify().ok());
        }
        CHECK(heap.stats().full_collections() == 2);
    }
}

TEST_CASE("sliding frees what the dead held, and the space is used again") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    Handle<Node> list;
    for (int i = 0; i < 200'000; ++i) {
        if (i % 10 == 0)
            list = make<Node>(list, nullptr, i);
        else
            make_raw<Node>();
    }
    const Bytes before = heap.stats().used_bytes();
    heap.collect_full();
    const FullCollectionReport report = heap.stats().last_full();
    CHECK(report.before_bytes == before);
    CHECK(report.live_objects == 20'000);
    CHECK(report.live_bytes == 20'000 * 32);
    CHECK(report.spans_slid > 0);
    CHECK(report.after_bytes == heap.stats().used_bytes());
    CHECK(heap.stats().used_bytes() < before / 4);
    CHECK(objects::length(list.get()) == 20'000);
    const Bytes committed = heap.stats().committed_bytes();
    for (int i = 0; i < 100'000; ++i) make_raw<Node>();
    if (!detail::kAsan) CHECK(heap.stats().committed_bytes() == committed);  // else it is in quarantine
}

TEST_CASE("a heap without garbage does not move") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    Handle<Node> list = objects::chain(100'000);
    std::vector<const Node*> places;
    for (const Node* node = list.get(); node != nullptr; node = node->left) places.push_back(node);
    heap.collect_full();
    CHECK(heap.stats().last_full().spans_slid == 0);
    CHECK(heap.stats().last_full().spans_stayed > 0);
    std::size_t i = 0;
    for (const Node* node = list.get(); node != nullptr; node = node->left) REQUIRE(node == places[i++]);
}

TEST_CASE("what survives keeps its order, and nothing slides beyond where it was") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    std::vector<Handle<Node>> all;
    for (int i = 0; i < 300'000; ++i) {
        Node* const node = make_raw<Node>(nullptr, nullptr, i);
        if (i % 7 == 0) all.emplace_back(node);
    }
    heap.collect_full();
    REQUIRE(heap.stats().last_full().spans_slid > 0);
    std::size_t descents = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i]->value == static_cast<int>(i * 7));
        if (i > 0 && all[i].get() < all[i - 1].get()) ++descents;
    }
    CHECK(descents <= all.size() / 1000);  // at borders of spans only
}

TEST_CASE("dead runs and fully dense runs in turn slide together") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    std::vector<Handle<Node>> all;
    for (int i = 0; i < 200'000; ++i) {
        Node* const node = make_raw<Node>(nullptr, nullptr, i);
        if (i / 1024 % 2 == 0) all.emplace_back(node);  // 32 KiB each
    }
    heap.collect_full();
    CHECK(heap.stats().last_full().spans_slid > 0);
    int expected = 0;
    for (const auto& node : all) {
        while (expected / 1024 % 2 != 0) ++expected;
        REQUIRE(node->value == expected++);
    }
    CHECK(heap.verify().ok());
}

TEST_CASE("an object under a Pin, one pinned by its type and a large one stay while all else slides") {
    Heap heap(objects::small(Collector::full));
    Mutator me(heap);
    auto named = make<objects::Named>("short");
    auto large = make_array<char>(100'000, 'l');
    for (int i = 0; i < 50'000; ++i) make_raw<Node>();
    auto pinned = make<Node>(nullptr, nullptr, 1);
    auto free = make<Node>(pinned, nullptr, 2);
    for (int i = 0; i < 50'000; ++i) make_raw<Node>();
    const auto* const named_at = named.get();
    const auto* const large_at = large.get();
    const auto* const pinned_at = pinned.get();
    {
        Pin<Node> pin(pinned);
        heap.collect_full();
        CHECK(pin.get() == pinned_at);
    }
    CHECK(named.get() == named_at);
    CHECK(named->name() == "short");
    CHECK(large.get() == large_at);
    CHECK((*large)[99'999] == 'l');
    CHECK(free->left == pinned.get());
    heap.collect_full();  // it is pinned no more
    CHECK(pinned.get() != pinned_at);
    CHECK(free->left == pinned.get());
    CHECK(heap.verify().ok());
}

TEST_CASE("under stress everything that may move does, and old copies read as poison") {
    const Environment stress("PERFLOC_STRESS", "move,poison,verify");
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Heap heap(objects::small());
        Mutator me(heap);
        graph::Random random(seed);
        auto roots = graph::make(random, {.cells = 1000, .extra = 300, .array = 50});
        const graph::Copy before(roots);
        const void* const old_place = roots.front().get();
        me.poll();
        CHECK(roots.front().get() != old_place);
        CHECK(graph::Copy(roots) == before);
        if (!detail::kAsan) CHECK(*static_cast<const unsigned char*>(old_place) == detail::kPoisonByte);
        me.poll();
        CHECK(graph::Copy(roots) == before);
        CHECK(heap.verify().ok());
    }
}
