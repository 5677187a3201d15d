#include "death/objects.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <thread>

using perfloc::DetachedScope;
using perfloc::Heap;
using perfloc::Mutator;
using perfloc::Scope;

TEST_CASE("a scope that is destroyed before an inner one aborts and names both", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::optional<Scope> outer(std::in_place, perfloc::Label("the outer one"));
        std::optional<Scope> inner(std::in_place, perfloc::Label("the inner one"));
        outer.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"scope \"the outer one\"", "out of order", "\"the inner one\" is the innermost"}));
}

TEST_CASE("a scope that is destroyed out of order aborts under the baseline too", "[death]") {
    const auto child = death::run([] {
        perfloc::Options options = death::small_heap();
        options.collector = perfloc::Collector::full;
        Heap heap(options);
        Mutator me(heap);
        std::optional<Scope> outer(std::in_place, perfloc::Label("the outer one"));
        std::optional<Scope> inner(std::in_place, perfloc::Label("the inner one"));
        outer.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"scope \"the outer one\"", "out of order", "\"the inner one\" is the innermost"}));
}

TEST_CASE("a scope that is destroyed on a thread without a mutator aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::optional<Scope> scope(std::in_place, perfloc::Label("a wanderer"));
        std::thread([&] { scope.reset(); }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"scope \"a wanderer\"", "thread without a mutator"}));
}

namespace {

/// Ends a scope while it is constructed.
class Ender {
public:
    explicit Ender(std::optional<Scope>& scope) { scope.reset(); }
    void trace(perfloc::Tracer& tracer) const { tracer(next_); }

private:
    perfloc::Ref<Ender> next_;
};

class DetachedEnder {
public:
    explicit DetachedEnder(std::unique_ptr<DetachedScope>& scope) { scope.reset(); }
    void trace(perfloc::Tracer& tracer) const { tracer(next_); }

private:
    perfloc::Ref<DetachedEnder> next_;
};

}  // namespace

TEST_CASE("a scope that ends while a constructor of its own object runs aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        std::optional<Scope> scope(std::in_place, perfloc::Label("under construction"));
        perfloc::make<Ender>(scope);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"scope \"under construction\"", "constructor"}));
}

TEST_CASE("a detached scope that ends while a constructor of its own object runs aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        auto scope = std::make_unique<DetachedScope>(heap, perfloc::Label("under construction"));
        perfloc::make_raw_in<DetachedEnder>(*scope, scope);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"detached scope \"under construction\"", "constructor"}));
}

TEST_CASE("a detached scope that is destroyed while it is entered aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        auto scope = std::make_unique<DetachedScope>(heap, perfloc::Label("a request"));
        DetachedScope::Enter in(*scope);
        scope.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"detached scope \"a request\"", "while it is entered"}));
}

TEST_CASE("a detached scope that is destroyed on a thread without a mutator aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        auto scope = std::make_unique<DetachedScope>(heap, perfloc::Label("a request"));
        scope.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"detached scope \"a request\"", "thread without a mutator"}));
}

TEST_CASE("a detached scope that is left while a scope is open in it aborts and names both", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        DetachedScope request(heap, "a request");
        std::optional<Scope> inner;
        auto in = std::make_unique<DetachedScope::Enter>(request);
        inner.emplace(perfloc::Label("opened inside"));
        in.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"detached scope \"a request\"", "\"opened inside\" is open"}));
}

namespace {

/// Its constructor enters a detached scope, and stays in it.
class Enters {
public:
    explicit Enters(DetachedScope& scope) : in_(std::make_unique<DetachedScope::Enter>(scope)) {}
    void trace(perfloc::Tracer&) const {}

private:
    std::unique_ptr<DetachedScope::Enter> in_;
};

/// Its constructor detaches its mutator.
class Detaches {
public:
    explicit Detaches(std::optional<Mutator>& mutator) { mutator.reset(); }
    void trace(perfloc::Tracer&) const {}
};

}  // namespace

TEST_CASE("a constructor that leaves another scope current aborts and is named", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        Mutator me(heap);
        DetachedScope request(heap, "a request");
        perfloc::make_raw<Enters>(request);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"constructor", "Enters", "leaves another scope current"}));
}

TEST_CASE("a mutator that is destroyed in a constructor of its heap aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        std::optional<Mutator> me(std::in_place, heap);
        perfloc::make_raw<Detaches>(me);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Mutator is destroyed in a constructor"}));
}

TEST_CASE("a mutator that is destroyed while a detached scope is entered aborts under any collector", "[death]") {
    const perfloc::Collector collector =
        GENERATE(perfloc::Collector::hinted, perfloc::Collector::full, perfloc::Collector::none);
    const auto child = death::run([&] {
        perfloc::Options options = death::small_heap();
        options.collector = collector;
        Heap heap(options);
        std::optional<Mutator> me(std::in_place, heap);
        DetachedScope request(heap, "a request");
        DetachedScope::Enter in(request);
        me.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a Mutator is destroyed while", "\"a request\""}));
}

TEST_CASE("a last destructor that leaves a detached scope open aborts and names it", "[death]") {
    const auto child = death::run([] {
        static std::optional<DetachedScope> left;
        struct Opens {
            explicit Opens(Heap& h) noexcept : heap(h) {}
            ~Opens() { left.emplace(heap, perfloc::Label("left open")); }
            void trace(perfloc::Tracer&) const {}
            Heap& heap;
        };
        Heap heap(death::small_heap());
        const Mutator me(heap);
        perfloc::make_raw_in<Opens>(heap.root(), heap);
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"a destructor leaves detached scope \"left open\" open"}));
}

TEST_CASE("a mutator that is destroyed under a NoPause of its own aborts", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap());
        std::optional<Mutator> me(heap);
        const perfloc::NoPause no_pause;
        me.reset();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"Mutator is destroyed", "NoPause"}));
}

TEST_CASE("a NoPause that ends on a thread with another aborts there", "[death]") {
    const auto child = death::run([] {
        Heap heap(death::small_heap()), other(death::small_heap());
        const Mutator me(heap);
        auto no_pause = std::make_unique<perfloc::NoPause>();
        std::thread([&] {
            const Mutator theirs(other);
            const perfloc::NoPause own;
            no_pause.reset();
        }).join();
    });
    CAPTURE(child.err);
    CHECK(child.died_saying({"NoPause ends", "another thread"}));
}
