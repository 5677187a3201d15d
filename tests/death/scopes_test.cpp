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
