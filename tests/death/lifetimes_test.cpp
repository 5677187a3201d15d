#include "death/objects.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <thread>

using death::Leaf;
using perfloc::DetachedScope;
using perfloc::Heap;
using perfloc::Mutator;
using perfloc::Scope;

TEST_CASE("a heap that is destroyed under an attached mutator aborts and names the mutator's scope", "[death]") {
    const auto child = death::run([] {
        auto heap = std::make_unique<Heap>(death::small_heap());
        Mutator me(*heap);
        Scope s("a request");
        heap.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Heap is destroyed", "attached mutator", "a request"}));
}

TEST_CASE("a heap that is destroyed by another thread than its mutator's aborts", "[death]") {
    const auto child = death::run([] {
        auto heap = std::make_unique<Heap>(death::small_heap());
        Mutator me(*heap);
        std::thread([&] { heap.reset(); }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Heap is destroyed", "attached mutator", "(mutator)"}));
}

TEST_CASE("a heap that is destroyed while a detached scope is open aborts and names the scope", "[death]") {
    const auto child = death::run([] {
        auto heap = std::make_unique<Heap>(death::small_heap());
        DetachedScope request(*heap, "a request");
        heap.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Heap is destroyed", "detached scope \"a request\" is open"}));
}

TEST_CASE("a mutator that is destroyed on another thread aborts and names its scope", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        auto me = std::make_unique<Mutator>(heap);
        std::thread([&] { me.reset(); }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Mutator is destroyed on another thread"}));
}

TEST_CASE("a mutator that is destroyed with an open scope aborts and names the scope", "[death]") {
    for (const auto collector : {perfloc::Collector::hinted, perfloc::Collector::full}) {
        const auto child = death::run([&] {
            perfloc::Options options = death::small_heap();
            options.collector = collector;
            Heap heap(options);
            auto me = std::make_unique<Mutator>(heap);
            Scope s("still open");
            me.reset();
        });
        CAPTURE(child.err);
        CHECK(child.died_saying({"Mutator is destroyed", "\"still open\" is open"}));
    }
}

TEST_CASE("a mutator that is destroyed inside a detached scope aborts and names the scope", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        auto me = std::make_unique<Mutator>(heap);
        DetachedScope request(heap, "a request");
        DetachedScope::Enter in(request);
        me.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Mutator is destroyed", "\"a request\" is open"}));
}

TEST_CASE("handles that outlive their mutator read null and are reported in one line", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        perfloc::Handle<Leaf> local, of_root;
        perfloc::WeakHandle<Leaf> weak;
        {
            Mutator me(heap);
            local = perfloc::make<Leaf>(nullptr, 1);
            of_root = perfloc::make_in<Leaf>(heap.root(), nullptr, 2);
            weak = of_root;
        }
        if (local || of_root || !weak.expired()) return 1;
        if (heap.stats().lost_handles() != 3) return 2;
        Mutator me(heap);
        const perfloc::Handle<Leaf> copy = local;  // a null handle belongs to nobody
        local = perfloc::make<Leaf>(nullptr, 3);
        const bool right = !copy && local->value == 3 && heap.verify().ok();
        local.reset();
        return right ? 0 : 3;
    });
    CAPTURE(child.err);
    CHECK(child.exit_code() == 0);
    const std::vector<std::string> lines = child.perfloc_lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("3 handles outlived the mutator") != std::string::npos);
}

TEST_CASE("global handles outlive their mutator, read null after their heap, and are reported in one line", "[death]") {
    const auto child = death::run([] {
        auto heap = std::make_unique<Heap>(death::small_heap());
        perfloc::GlobalHandle<Leaf> global;
        perfloc::GlobalWeakHandle<Leaf> weak;
        {
            Mutator me(*heap);
            const perfloc::Handle<Leaf> leaf = perfloc::make<Leaf>(nullptr, 1);
            global = perfloc::GlobalHandle<Leaf>(leaf);
            weak = perfloc::GlobalWeakHandle<Leaf>(leaf);
        }
        if (!global) return 1;
        heap.reset();
        if (global || weak) return 2;
        const perfloc::GlobalHandle<Leaf> copy = global;
        global = {};
        return copy ? 3 : 0;
    });
    CAPTURE(child.err);
    CHECK(child.exit_code() == 0);
    const std::vector<std::string> lines = child.perfloc_lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("2 handles outlived the heap") != std::string::npos);
}

TEST_CASE("a pin that outlives its mutator pins no more", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        std::optional<perfloc::Pin<Leaf>> pin;
        {
            Mutator me(heap);
            pin.emplace(perfloc::make<Leaf>(nullptr, 1));
        }
        if (pin->get() != nullptr) return 1;
        pin.reset();
        return heap.verify().ok() ? 0 : 2;
    });
    CAPTURE(child.err);
    CHECK(child.exit_code() == 0);
    CHECK(child.perfloc_lines().size() == 1);
}
