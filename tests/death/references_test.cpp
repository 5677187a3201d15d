#include "death/objects.hpp"
#include "support/catch.hpp"

#include <optional>
#include <thread>

using death::Leaf;
using perfloc::Handle;
using perfloc::Heap;
using perfloc::Mutator;
using perfloc::Ref;
using perfloc::Scope;

namespace {

Leaf* in_root_of(Heap& heap) {
    Mutator me(heap);
    return perfloc::make_raw_in<Leaf>(heap.root(), nullptr, 1);
}

}  // namespace

TEST_CASE("a reference that is given an object of another heap aborts and names the type", "[death]") {
    const auto child = death::run([] {
        Heap other(death::small_heap());
        Heap heap(death::small_heap());
        Leaf* const foreign = in_root_of(other);
        Mutator me(heap);
        perfloc::make_raw<Leaf>(nullptr, 2)->next = foreign;
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "another heap"}));
}

TEST_CASE("a reference that is made to an object of another heap aborts and names the type", "[death]") {
    const auto child = death::run([] {
        Heap other(death::small_heap());
        Heap heap(death::small_heap());
        Leaf* const foreign = in_root_of(other);
        Mutator me(heap);
        perfloc::make_raw<Leaf>(foreign, 2);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Leaf", "another heap"}));
}

TEST_CASE("a reference that is given an object on the stack aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf on_the_stack{nullptr, 1};
        perfloc::make_raw<Leaf>(nullptr, 2)->next = &on_the_stack;
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Ref at", "of its own heap"}));
}

TEST_CASE("an object of another heap that is given a reference aborts", "[death]") {
    const auto child = death::run([] {
        Heap other(death::small_heap());
        Heap heap(death::small_heap());
        Leaf* const foreign = in_root_of(other);
        Mutator me(heap);
        foreign->next = perfloc::make_raw<Leaf>(nullptr, 2);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Ref at", "not attached to its heap"}));
}

TEST_CASE("a reference that is written by a thread without a mutator aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf* const outer = perfloc::make_raw_in<Leaf>(heap.root(), nullptr, 1);
        Leaf* const leaf = perfloc::make_raw<Leaf>(nullptr, 2);
        std::thread([&] { leaf->next = outer; }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Ref at", "not attached to its heap"}));
}

TEST_CASE("a reference that is given a raw pointer into an ended scope aborts under stress and names the scope",
          "[death]") {
    const auto child = death::run([] {
        ::setenv("PERFLOC_STRESS", "verify", 1);
        Heap heap(death::small_heap());
        Mutator me(heap);
        const Handle<Leaf> owner = perfloc::make<Leaf>(nullptr, 1);
        Leaf* kept_too_long = nullptr;
        {
            Scope s("ended already");
            kept_too_long = perfloc::make_raw<Leaf>(nullptr, 2);
        }
        owner->next = kept_too_long;
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Ref is given a raw pointer", "ended already", "law [raw]"}));
}

TEST_CASE("a new object that is given a raw pointer into an ended scope aborts under stress and names the scope",
          "[death]") {
    const auto child = death::run([] {
        ::setenv("PERFLOC_STRESS", "verify", 1);
        Heap heap(death::small_heap());
        Mutator me(heap);
        Leaf* kept_too_long = nullptr;
        {
            Scope s("ended already");
            kept_too_long = perfloc::make_raw<Leaf>(nullptr, 2);
        }
        perfloc::make<Leaf>(kept_too_long, 1);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Ref is given a raw pointer", "ended already", "law [raw]"}));
}

TEST_CASE("a trace() that names a reference twice aborts and names the type", "[death]") {
    struct Twice {
        explicit Twice(int) {}
        void trace(perfloc::Tracer& tracer) const { tracer(next, next); }
        Ref<Twice> next;
    };
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        perfloc::make<Twice>(1);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"trace() of", "Twice", "twice"}));
}
