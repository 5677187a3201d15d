#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <memory>
#include <thread>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

namespace {

std::string message(auto&& action) {
    try {
        action();
    } catch (const AttachError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a thread attaches to one heap at a time, and once") {
    Heap one(objects::small());
    Heap two(objects::small());
    {
        Mutator me(one);
        CHECK(message([&] { Mutator again(one); }).find("already") != std::string::npos);
        CHECK(message([&] { Mutator other(two); }).find("another heap") != std::string::npos);
        CHECK(make<Node>() != nullptr);
    }
    Mutator me(two);
    CHECK(make<Node>() != nullptr);
}

TEST_CASE("a second mutator of a heap is refused while the first is attached, and welcome afterwards") {
    Heap heap(objects::small());
    {
        Mutator me(heap);
        std::thread([&] { CHECK_THROWS_AS(Mutator(heap), AttachError); }).join();
    }
    std::thread([&] {
        Mutator me(heap);
        CHECK(make<Node>(nullptr, nullptr, 3)->value == 3);
    }).join();
    Mutator me(heap);
    CHECK(heap.verify().ok());
}

TEST_CASE("two heaps live side by side, each with a mutator on a thread of its own") {
    Heap one(objects::small());
    Heap two(objects::small(Collector::full));
    const auto work = [](Heap& heap) {
        Mutator me(heap);
        for (int i = 0; i < 200; ++i) {
            Scope scope{"work"};
            auto list = Handle<Node>(objects::chain(500));
            if (i % 20 == 0) heap.collect_full();
            if (objects::length(list.get()) != 500) return false;
        }
        return heap.verify().ok();
    };
    bool good = false;
    std::thread thread([&] { good = work(two); });
    CHECK(work(one));
    thread.join();
    CHECK(good);
    CHECK(one.stats().full_collections() == 10);
    CHECK(two.stats().full_collections() == 10);
}

TEST_CASE("heaps are made and destroyed again and again") {
    for (int i = 0; i < 50; ++i) {
        Heap heap(objects::small());
        Mutator me(heap);
        auto node = make<Node>(nullptr, nullptr, i);
        CHECK(node->value == i);
    }
}

TEST_CASE("what global handles and the root refer to survives detaching, in the root scope") {
    Heap heap(objects::small());
    GlobalHandle<Node> global;
    {
        Mutator me(heap);
        auto shared = make_in<Node>(heap.root());
        shared->left = make_raw<Node>(nullptr, nullptr, 5);
        global = GlobalHandle<Node>(shared);
        make_raw<Node>();
    }
    Mutator me(heap);
    CHECK(global->left->value == 5);
    CHECK(inspect::scope(global->left) == "(root)");
    CHECK(heap.verify().ok());
}

TEST_CASE("under every collector a mutator may come after another and find what it left") {
    for (const Collector collector : {Collector::hinted, Collector::full, Collector::none}) {
        Heap heap(objects::small(collector));
        GlobalHandle<Node> list;
        for (int i = 1; i <= 20; ++i) {
            Mutator me(heap);
            Scope scope{"round"};
            list = GlobalHandle<Node>(make_raw<Node>(list.get(), nullptr, i));
            if (i % 5 == 0) heap.collect_full();
        }
        Mutator me(heap);
        CHECK(objects::length(list.get()) == 20);
        CHECK(heap.verify().ok());
    }
}

TEST_CASE("idle_until returns, at once where its time has passed") {
    Heap heap(objects::small());
    Mutator me(heap);
    const auto now = std::chrono::steady_clock::now();
    me.idle_until(now - std::chrono::seconds(1));
    me.idle_until(now + std::chrono::milliseconds(1));
    CHECK(make<Node>() != nullptr);
}

TEST_CASE("collect_full by a thread that is not the mutator is refused") {
    Heap heap(objects::small());
    Mutator me(heap);
    std::thread([&] { CHECK_THROWS_AS(heap.collect_full(), AttachError); }).join();
    CHECK(heap.stats().full_collections() == 0);
}

TEST_CASE("the budget is set by the mutator where there is one") {
    Heap heap(objects::small());
    std::thread([&] { heap.set_pauses({.max = std::chrono::milliseconds(2)}); }).join();
    CHECK(heap.options().pauses.max == std::chrono::milliseconds(2));
    Mutator me(heap);
    std::thread([&] { CHECK_THROWS_AS(heap.set_pauses({}), AttachError); }).join();
    CHECK(heap.options().pauses.max == std::chrono::milliseconds(2));
    heap.set_pauses({});
    CHECK(heap.options().pauses.max == PauseBudget().max);
}
