#include "death/objects.hpp"
#include "support/catch.hpp"

#include <optional>
#include <thread>
#include <utility>

using death::Leaf;
using perfloc::Handle;
using perfloc::Heap;
using perfloc::Mutator;
using perfloc::Scope;

namespace {

/// Runs `misuse` with a handle of one mutator, by a mutator of another heap on another thread.
template <class Misuse>
death::Child by_another_mutator(Misuse misuse) {
    return death::run([&] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::optional<Handle<Leaf>> mine(perfloc::make<Leaf>(nullptr, 1));
        std::thread([&] {
            Heap other_heap(death::small_heap());
            Mutator other(other_heap);
            misuse(mine);
        }).join();
    });
}

}  // namespace

TEST_CASE("a handle that another mutator copies aborts and names the type", "[death]") {
    const auto child = by_another_mutator([](std::optional<Handle<Leaf>>& mine) { const Handle<Leaf> copy = *mine; });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "copied by another mutator", "GlobalHandle"}));
}

TEST_CASE("a handle that another mutator moves aborts and names the type", "[death]") {
    const auto child =
        by_another_mutator([](std::optional<Handle<Leaf>>& mine) { const Handle<Leaf> taken = std::move(*mine); });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "moved by another mutator", "GlobalHandle"}));
}

TEST_CASE("a handle that another mutator assigns from aborts and names the type", "[death]") {
    const auto child = by_another_mutator([](std::optional<Handle<Leaf>>& mine) {
        Handle<Leaf> other = perfloc::make<Leaf>(nullptr, 2);
        other = *mine;
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "by another mutator", "GlobalHandle"}));
}

TEST_CASE("a handle that another mutator assigns to aborts and names the type", "[death]") {
    const auto child =
        by_another_mutator([](std::optional<Handle<Leaf>>& mine) { *mine = perfloc::make<Leaf>(nullptr, 2); });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "by another mutator", "GlobalHandle"}));
}

TEST_CASE("a handle that another mutator drops aborts and names the type", "[death]") {
    const auto child = by_another_mutator([](std::optional<Handle<Leaf>>& mine) { mine.reset(); });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "dropped by another mutator", "GlobalHandle"}));
}

TEST_CASE("a handle that a thread without a mutator drops aborts and names the type", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::optional<Handle<Leaf>> mine(perfloc::make<Leaf>(nullptr, 1));
        std::thread([&] { mine.reset(); }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "dropped by another mutator"}));
}

TEST_CASE("a weak handle that another mutator copies aborts and names the type", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        const Handle<Leaf> leaf = perfloc::make<Leaf>(nullptr, 1);
        const perfloc::WeakHandle<Leaf> weak = leaf;
        std::thread([&] {
            Heap other_heap(death::small_heap());
            Mutator other(other_heap);
            const perfloc::WeakHandle<Leaf> copy = weak;
        }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "copied by another mutator"}));
}

TEST_CASE("a handle made to an object on the stack aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf on_the_stack{nullptr, 1};
        const Handle<Leaf> handle(&on_the_stack);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Handle is made to", "not in the heap"}));
}

TEST_CASE("a handle made on a thread without a mutator aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, 1);
        std::thread([&] { const Handle<Leaf> handle(leaf); }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Handle is made on a thread without a mutator"}));
}

TEST_CASE("a handle made from a raw pointer into an ended scope aborts under stress and names the scope", "[death]") {
    const auto child = death::run([] {
        ::setenv("PERFLOC_STRESS", "verify", 1);
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf* kept_too_long = nullptr;
        {
            Scope s("ended already");
            kept_too_long = perfloc::make_raw<Leaf>(nullptr, 1);
        }
        const Handle<Leaf> handle(kept_too_long);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Handle is made from a raw pointer", "ended already", "law [raw]"}));
}
