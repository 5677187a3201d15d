#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"

#include <perfloc/testing.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Leaf;
using objects::Node;

namespace {

template <class Error>
std::string message(auto&& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}
bool has(const std::string& text, std::initializer_list<const char*> parts) {
    UNSCOPED_INFO(text);
    return std::all_of(parts.begin(), parts.end(),
                       [&](const char* part) { return text.find(part) != std::string::npos; });
}

Options limited(Bytes limit, Collector collector = Collector::hinted) {
    return {.reserve = 256_MiB, .limit = limit, .collector = collector};
}

}  // namespace

TEST_CASE("options that make no sense are refused, and the error names the option") {
    const auto refused = [](Options options, const char* name) {
        return has(message<OptionError>([&] { Heap heap(options); }), {name});
    };
    Options good = objects::small();
    CHECK_NOTHROW(Heap(good));
    Options options = good;
    options.reserve = 0;
    CHECK(refused(options, "reserve"));
    options = good;
    options.full_growth_factor = 1.0;
    CHECK(refused(options, "full_growth_factor"));
    options.full_growth_factor = std::nan("");
    CHECK(refused(options, "full_growth_factor"));
    options = good;
    options.soft_limit = options.limit + 1;
    CHECK(refused(options, "soft_limit"));
    options = good;
    options.pauses.max = std::chrono::nanoseconds(0);
    CHECK(refused(options, "pauses.max"));
    for (const double utilization : {0.0, 1.0, -1.0, 2.0}) {
        options = good;
        options.pauses.utilization = utilization;
        CHECK(refused(options, "utilization"));
    }
}

TEST_CASE("the options as they hold say what was granted") {
    Heap heap({.reserve = 16_MiB});
    CHECK(heap.options().reserve == 16_MiB);
    CHECK(heap.options().limit > 0);
    CHECK(heap.options().soft_limit <= heap.options().limit);
    CHECK(heap.stats().limit_bytes() <= 16_MiB);
    CHECK(heap.stats().reserved_bytes() == 16_MiB);
}

TEST_CASE("PERFLOC_COLLECTOR overrides the option, and what it does not know is named") {
    for (const auto& [name, collector] :
         {std::pair{"hinted", Collector::hinted}, {"full", Collector::full}, {"none", Collector::none}}) {
        const Environment environment("PERFLOC_COLLECTOR", name);
        Heap heap(objects::small(collector == Collector::full ? Collector::none : Collector::full));
        CHECK(heap.options().collector == collector);
    }
    const Environment environment("PERFLOC_COLLECTOR", "fully");
    CHECK(has(message<OptionError>([] { Heap heap(objects::small()); }), {"PERFLOC_COLLECTOR", "\"fully\""}));
}

TEST_CASE("PERFLOC_STRESS that is not known is named when the heap is made") {
    const Environment environment("PERFLOC_STRESS", "verify,shake");
    CHECK(has(message<OptionError>([] { Heap heap(objects::small()); }), {"PERFLOC_STRESS", "\"shake\""}));
}

TEST_CASE("over the limit allocation throws, names scope and type, and the heap is usable afterwards") {
    for (const Collector collector : {Collector::hinted, Collector::full, Collector::none}) {
        Heap heap(limited(4_MiB, collector));
        Mutator me(heap);
        auto before = make<Node>(nullptr, nullptr, 5);
        std::string text;
        {
            Scope scope{"greedy"};
            Handle<Node> list;
            int made = 0;
            text = message<OutOfMemory>([&] {
                for (;;) {
                    list = make<Node>(list);
                    ++made;
                }
            });
            CHECK(objects::length(list.get()) == made);  // nothing is lost
            CHECK(made > 50'000);
            CHECK_THROWS_AS(make_raw<Node>(), OutOfMemory);
        }
        if (collector == Collector::hinted) CHECK(has(text, {"out of memory", "greedy"}));
        CHECK(has(text, {"Node", "since the last poll", "4194304"}));
        heap.collect_full();
        CHECK(heap.verify().ok());
        CHECK(before->value == 5);
        Scope scope{"again"};
        for (int i = 0; i < 10'000; ++i) make_raw<Node>(before);
    }
}

TEST_CASE("over the limit pinned, large and given-scope allocations throw as well") {
    Heap heap(limited(4_MiB));
    Mutator me(heap);
    const auto until_refused = [&](auto&& make_one, const char* type) {
        {
            Scope scope{"until refused"};
            const std::string text = message<OutOfMemory>([&] {
                for (;;) make_one();
            });
            CHECK(has(text, {type, "until refused"}));
        }
        CHECK(heap.verify().ok());
    };
    until_refused([] { make_raw<objects::Named>("pinned"); }, "Named");
    until_refused([] { make_raw_array<char>(100'000); }, "Array<char>");
    until_refused([] { make_raw_array<char>(3'000'000); }, "Array<char>");
    until_refused(
        [&] {
            static DetachedScope* detached = nullptr;
            if (detached == nullptr) detached = new DetachedScope(heap, "detached");
            try {
                detached->make_raw<Node>();
            } catch (...) {
                delete std::exchange(detached, nullptr);
                throw;
            }
        },
        "Node");
    me.collect_until(std::chrono::steady_clock::now() + std::chrono::minutes(1));  // destructors wait for a slice
    CHECK(make<Node>() != nullptr);
}

TEST_CASE("an object that can never fit is refused at once with its type") {
    Heap heap(limited(4_MiB));
    Mutator me(heap);
    CHECK_THROWS_AS(make_array<char>(5_MiB), ObjectTooLarge);
    CHECK(has(message<ObjectTooLarge>([] { make_array<std::int64_t>(100'000'000); }),
              {"Array<", "long", "800000008", "4194304"}));
    CHECK_THROWS_AS(make_raw<Leaf>(ExtraBytes{1_GiB}, 1), ObjectTooLarge);
    CHECK_THROWS_AS(make_raw_array<std::string>(1'000'000), std::bad_alloc);
    CHECK(make_array<char>(2_MiB)->size() == 2_MiB);
    CHECK(heap.verify().ok());
}

TEST_CASE("at the soft limit a poll makes room, so that a program that polls goes on") {
    Heap heap(limited(8_MiB));
    Mutator me(heap);
    Handle<Node> list = objects::chain(1000);
    for (int i = 0; i < 2'000'000; ++i) {
        make_raw<Node>(list);
        if (i % 1000 == 0) me.poll();
    }
    CHECK(objects::length(list.get()) == 1000);
    CHECK(heap.stats().scope_collections() + heap.stats().full_collections() > 0);
    CHECK(heap.stats().peak_committed_bytes() <= 8_MiB);
}

TEST_CASE("the figures of a heap agree with what was done") {
    Heap heap(objects::small());
    Mutator me(heap);
    const Stats stats = heap.stats();
    CHECK(stats.full_collections() == 0);
    CHECK(stats.system_calls().reserve == 1);
    CHECK(stats.pauses().count() == 0);
    auto outer = make<Node>();
    {
        Scope scope{"one"};
        outer->left = make_raw<Node>();
    }
    {
        Scope scope{"two"};
        make_raw_array<char>(1_MiB);
        CHECK(stats.used_bytes() > 1_MiB);
    }
    CHECK(stats.used_bytes() < 1_MiB);
    CHECK(stats.committed_bytes() >= stats.used_bytes());
    CHECK(stats.peak_committed_bytes() >= 1_MiB);
    CHECK(stats.promoted_bytes() == 32);
    CHECK(stats.promotions() + stats.scope_collections() == 1);
    CHECK(stats.scopes_released() == 1);
    CHECK(stats.pauses().count() == 1);
    CHECK(stats.last_pauses().back().label == "one");
    CHECK(stats.metadata_bytes() > 0);
    CHECK(stats.lost_handles() == 0);
    heap.collect_full();
    CHECK(stats.full_collections() == 1);
    CHECK(stats.pauses(PauseCause::full).count() == 1);
    CHECK(stats.pauses().count() == 2);
    CHECK(stats.pauses().max() > std::chrono::nanoseconds(0));
}

TEST_CASE("memory is given back to the system where large objects need room under the limit") {
    Heap heap(limited(16_MiB));
    Mutator me(heap);
    for (int round = 0; round < 3; ++round) {
        {
            Scope scope{"small ones"};
            for (int i = 0; i < 300'000; ++i) make_raw<Node>();
        }
        Scope scope{"large one"};
        CHECK(make_array<char>(14_MiB, 'x')->size() == 14_MiB);
    }
    CHECK(heap.stats().committed_bytes() <= 16_MiB);
}

TEST_CASE("memory that is prefaulted counts before it is used") {
    Options options = objects::small();
    options.prefault = 8_MiB;
    Heap heap(options);
    Mutator me(heap);
    CHECK(objects::length(objects::chain(10'000)) == 10'000);
    CHECK(heap.verify().ok());
}

TEST_CASE("who polls after OutOfMemory, and tries again, gets what was garbage") {
    for (const Collector collector : {Collector::hinted, Collector::full}) {
        for (const bool thread : {false, true}) {
            Options options = limited(32_MiB, collector);
            options.collector_thread = thread;
            Heap heap(options);
            Mutator me(heap);
            for (int i = 0; i < 13; ++i) make_raw_array<char>(1_MiB);
            REQUIRE_THROWS_AS(make_raw_array<char>(20_MiB), OutOfMemory);
            poll();
            CHECK(make_array<char>(20_MiB));
        }
    }
}

TEST_CASE("no collector collects after OutOfMemory, and the others only what is refused yet") {
    {
        Heap heap(limited(8_MiB, Collector::none));
        Mutator me(heap);
        const auto fill = [] {
            for (;;) make_raw_array<char>(100_KiB);
        };
        REQUIRE_THROWS_AS(fill(), OutOfMemory);
        const Bytes used = heap.stats().used_bytes();
        poll();
        CHECK(heap.stats().full_collections() == 0);
        CHECK(heap.stats().used_bytes() == used);
    }
    {
        Heap heap(limited(32_MiB, Collector::full));
        Mutator me(heap);
        make_raw_array<char>(13_MiB);
        REQUIRE_THROWS_AS(make_raw_array<char>(20_MiB), OutOfMemory);
        heap.collect_full();
        poll();
        CHECK(heap.stats().full_collections() == 1);
    }
}

TEST_CASE("what is parked while a collection goes on comes back with it") {
    const int how = GENERATE(0, 1, 2, 3, 4);
    CAPTURE(how);
    Options options = limited(64_MiB);
    options.collector_thread = false;
    Heap heap(options);
    Mutator me(heap);
    DetachedScope other(heap, "other");
    Node* const target = other.make_raw<Node>();
    DetachedScope large(heap, "large");
    large.make_raw<Node>(target);  // so that a collection may have to look at it
    for (int i = 0; i < 40; ++i) {
        const DetachedScope::Enter enter(large);
        make_raw_array<char>(1_MiB);
    }
    other.trim();
    testing::run_to(heap, "gather");
    large.end();
    REQUIRE(heap.stats().used_bytes() > 40_MiB);
    if (how == 0) {
        heap.collect_full();
    } else if (how == 1) {
        CHECK(me.collect_until(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    } else if (how == 2) {
        testing::run_to(heap, "idle");
        poll();
    } else {
        if (how == 4) testing::run_to(heap, "idle");
        CHECK(make_array<char>(32_MiB));  // at the limit
    }
    CHECK(heap.stats().used_bytes() < 40_MiB);
    other.end();
}

TEST_CASE("what is parked comes back at a poll, though something always waits") {
    Options options = limited(64_MiB);
    options.collector_thread = false;
    options.pauses.utilization = 0.999999;
    Heap heap(options);
    Mutator me(heap);
    std::vector<Handle<Node>> kept;
    const auto end_one = [&] {  // too large to be dealt with in its end
        const Scope scope("large");
        for (int i = 0; i < 20'000; ++i) kept.push_back(make<Node>());
    };
    end_one();
    testing::run_to(heap, "mark");
    end_one();  // waits
    DetachedScope other(heap);
    auto* const target = other.make_raw<Node>();
    for (int i = 0; i < 20; ++i) {
        DetachedScope source(heap);
        source.make_raw<Node>(target);
        const DetachedScope::Enter enter(source);
        make_raw_array<char>(1_MiB);
    }
    const Bytes before = heap.stats().used_bytes();
    for (int i = 0; i < 4 && testing::phase(heap) == "mark"; ++i) poll();
    CHECK(heap.stats().used_bytes() + 10_MiB < before);
    other.end();
}

TEST_CASE("a wait does not use up the collection that follows OutOfMemory") {
    Heap heap(limited(32_MiB));
    Mutator me(heap);
    for (int i = 0; i < 13; ++i) make_raw_array<char>(1_MiB);
    REQUIRE_THROWS_AS(make_raw_array<char>(20_MiB), OutOfMemory);
    DetachedScope scope(heap);
    auto kept = scope.make<Node>();
    for (int i = 0; i < 20'000; ++i) kept->left = scope.make_raw<Node>(kept->left.get());
    scope.end_and_wait(std::chrono::seconds(10));
    poll();
    CHECK(make_array<char>(18_MiB));
}

TEST_CASE("a recursion fits after one of its scopes was large") {
    Heap heap(limited(64_MiB));
    Mutator me(heap);
    const auto visit = [](auto& self, int depth, int arrays) -> void {
        const Scope scope("visit");
        make_raw<Leaf>();
        for (int i = 0; i < arrays; ++i) make_raw_array<char>(16_KiB);
        if (depth > 0) self(self, depth - 1, 0);
    };
    visit(visit, 0, 20);
    visit(visit, 2000, 0);
    CHECK(heap.stats().lost_handles() == 0);
}
