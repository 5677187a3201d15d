// What destructors do while the end of a scope collects it.
#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"

#include <perfloc/testing.hpp>
#include <perfloc/units.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <vector>

using namespace perfloc;
using objects::Last;

namespace {

struct Node {
    std::uint64_t value = 0;
};

struct Wide {
    std::array<Ref<Node>, 2> nodes;
    std::array<std::uint64_t, 30> more{};
};

struct Holder {
    std::array<Ref<Node>, 8> nodes;
};

class Dying {
public:
    explicit Dying(Node* neighbour) : neighbour_(neighbour) {}
    Dying(const Dying&) = delete;
    Dying& operator=(const Dying&) = delete;
    ~Dying() { neighbour_ = nullptr; }
    void trace(Tracer& tracer) const { tracer(neighbour_); }

private:
    Ref<Node> neighbour_;
};

Options options() {
    return {.reserve = 256_MiB,
            .limit = 64_MiB,
            .pauses = {.max = std::chrono::microseconds(100), .utilization = 0.999999},
            .collector_thread = false};
}

}  // namespace

TEST_CASE(
    "what a destructor overwrites is not kept for a collection that waits, where its scope is collected in its own "
    "end") {
    const Environment verify("PERFLOC_STRESS", "verify");
    Heap heap(options());
    Mutator me(heap);
    std::vector<Handle<Wide>> kept;
    const auto large = [&] {  // survives, and is too large to be dealt with in its end
        Scope scope("large");
        for (int i = 0; i < 8000; ++i) kept.push_back(make<Wide>());
    };
    large();
    large();  // waits for the first
    REQUIRE(testing::phase(heap) == "gather");
    Handle<Node> survivor;
    {
        Scope scope("small");
        scope.expect(256_KiB);
        make_raw<Wide>();
        survivor = make<Node>(1u);
        make_raw<Dying>(survivor.get());
    }
    {
        // What lies there now looks like the header of an object.
        Scope scope("next");
        scope.expect(256_KiB);
        for (int i = 0; i < 4000; ++i)
            make_raw_array<std::uint64_t>(60, (std::uint64_t{4} << 44) | (std::uint64_t{1} << 34));
    }
    while (testing::slice(heap)) {
    }
    CHECK(survivor->value == 1);
    CHECK(heap.verify().ok());
}

TEST_CASE("a destructor may end the detached scope that the survivors of its own scope go to") {
    Heap heap(options());
    Mutator me(heap);
    const bool named = GENERATE(false, true);
    for (int round = 0; round < 200; ++round) {
        auto detached = std::make_unique<DetachedScope>(heap);
        auto* const holder = detached->make_raw<Holder>();
        Handle<Holder> handle(named ? holder : nullptr);
        std::vector<std::unique_ptr<DetachedScope>> others;
        std::vector<Handle<Array<std::uint64_t>>> arrays;
        std::function<void()> end = [&] {
            detached->end();
            for (int i = 0; i < 40; ++i) {
                others.push_back(std::make_unique<DetachedScope>(heap));
                arrays.push_back(others.back()->make_array<std::uint64_t>(480, std::uint64_t{0x77}));
            }
        };
        {
            Scope scope("small");
            for (auto& node : holder->nodes) node = make_raw<Node>(42u);
            make_raw<Last>(&end);
        }
        for (const auto& array : arrays) {
            REQUIRE(std::all_of(array->begin(), array->end(), [](std::uint64_t word) { return word == 0x77; }));
        }
        if (named) {
            for (const auto& node : handle->nodes) REQUIRE(node->value == 42);
        }
        poll();
    }
    me.collect_until(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    CHECK(heap.verify().ok());
    heap.collect_full();
    CHECK(heap.stats().last_full().live_objects == 0);
}

TEST_CASE("a destructor does not end the scope that was current before it") {
    Heap heap(options());
    Mutator me(heap);
    Scope outer("outer");
    bool refused = false;
    std::function<void()> end = [&] {
        try {
            outer.end();
        } catch (const ScopeError&) {
            refused = true;
        }
    };
    {
        const Scope inner("inner");
        make_raw<Last>(&end);
    }
    CHECK(refused);
    CHECK(make<Node>(3u)->value == 3);
    outer.end();
    CHECK(heap.verify().ok());
}

TEST_CASE("a scope that ends has ended for the destructors that its end runs") {
    Heap heap(options());
    Mutator me(heap);
    DetachedScope other(heap);
    const auto kept = other.make<Node>(7u);
    bool said = false, refused = false;
    const auto is_refused = [&](auto&& action) {
        try {
            action();
        } catch (const ScopeError&) {
            refused = true;
        }
    };
    std::function<void()> look;  // outlives the scopes
    SECTION("detached") {
        DetachedScope scope(heap);
        look = [&] {
            said = scope.ended();
            is_refused([&] { scope.make<Node>(1u); });
        };
        scope.make_raw<Last>(&look);
        scope.end();
    }
    SECTION("detached, and ended again") {
        DetachedScope scope(heap);
        look = [&] {
            said = scope.ended();
            is_refused([&] { scope.end(); });
        };
        scope.make_raw<Last>(&look);
        SECTION("at its end") { scope.end(); }
        SECTION("at its brace") {}
        SECTION("waited for") { scope.end_and_wait(std::chrono::seconds(10)); }
    }
    SECTION("lexical") {
        Scope scope("ends");
        look = [&] {
            said = true;
            is_refused([&] { make_in<Node>(scope, 1u); });
        };
        make_raw<Last>(&look);
    }
    CHECK(said);
    CHECK(refused);
    heap.collect_full();
    CHECK(heap.verify().ok());
    CHECK(kept->value == 7);
}

TEST_CASE("a collection does not begin in the middle of one in the caller") {
    struct Recorder : EventListener {
        void on_collection_begun(const CollectionBegunEvent& e) noexcept override { begun.push_back(e.cycle); }
        void on_collection_ended(const CollectionEndedEvent& e) noexcept override { ended.push_back(e.cycle); }
        std::vector<std::uint64_t> begun, ended;
    } recorder;
    Heap heap(options());
    Mutator me(heap);
    heap.add_listener(recorder);
    DetachedScope detached(heap);
    const auto kept = detached.make<Node>(5u);
    std::function<void()> end = [&] { detached.end(); };
    {
        const Scope scope("outer");
        make_raw<Last>(&end);
    }
    me.collect_until(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    heap.remove_listener(recorder);
    REQUIRE(recorder.ended.size() >= 2);
    CHECK(recorder.ended[0] == recorder.begun[0]);
    CHECK(recorder.ended[1] == recorder.begun[1]);
    CHECK(kept->value == 5);
}
