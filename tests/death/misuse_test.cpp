#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"

#include <memory>
#include <optional>
#include <thread>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

/// The checked aborts: one line on the standard error stream that says what is wrong and names the scope's label or the
/// type.
namespace {

/// Runs `body(heap)` in a child, by the mutator of a heap.
template <class Body>
death::Child attached(Body&& body, Options options = objects::small()) {
    return death::run([&] {
        Heap heap(options);
        Mutator me(heap);
        body(heap);
    });
}

/// By the mutator of another heap, on a thread of its own.
template <class Body>
void elsewhere(Body&& body) {
    std::thread([&] {
        Heap other(objects::small());
        Mutator me(other);
        body();
    }).join();
}

}  // namespace

#define CHECK_DIES(child_expression, ...)             \
    do {                                              \
        const death::Child child = child_expression;  \
        INFO(child.err);                              \
        CHECK(child.died_saying({__VA_ARGS__}));      \
    } while (false)

TEST_CASE("a scope that is destroyed out of order aborts and names both scopes") {
    for (const Collector collector : {Collector::hinted, Collector::full}) {
        CHECK_DIES(attached(
                       [](Heap&) {
                           auto outer = std::make_unique<Scope>("outer label");
                           Scope inner{"inner label"};
                           outer.reset();
                       },
                       objects::small(collector)),
                   "outer label", "inner label", "out of order");
    }
}

TEST_CASE("a scope that is destroyed on a thread without a mutator aborts and names it") {
    CHECK_DIES(attached([](Heap&) {
                   auto scope = std::make_unique<Scope>("the label");
                   std::thread([&] { scope.reset(); }).join();
               }),
               "the label", "thread");
}

TEST_CASE("a scope that ends while a constructor of one of its objects runs aborts and names it") {
    CHECK_DIES(attached([](Heap&) {
                   static std::unique_ptr<Scope> scope;
                   class Ends {
                   public:
                       Ends() { scope.reset(); }
                       void trace(Tracer& tracer) const { tracer(node_); }

                   private:
                       Ref<Node> node_;
                   };
                   scope = std::make_unique<Scope>("under construction");
                   make_raw<Ends>();
               }),
               "under construction", "constructor");
}

TEST_CASE("a heap that is destroyed under an attached mutator aborts and names its scope") {
    CHECK_DIES(death::run([] {
                   auto heap = std::make_unique<Heap>(objects::small());
                   Mutator me(*heap);
                   Scope scope{"still open"};
                   heap.reset();
               }),
               "still open", "mutator");
}

TEST_CASE("a heap that is destroyed with an open detached scope aborts and names it") {
    CHECK_DIES(death::run([] {
                   auto heap = std::make_unique<Heap>(objects::small());
                   DetachedScope left(*heap, "left open");
                   heap.reset();
               }),
               "left open", "detached");
}

TEST_CASE("a mutator that is destroyed with an open scope aborts and names it") {
    for (const Collector collector : {Collector::hinted, Collector::none}) {
        CHECK_DIES(death::run([collector] {
                       Heap heap(objects::small(collector));
                       auto me = std::make_unique<Mutator>(heap);
                       Scope scope{"not closed"};
                       me.reset();
                   }),
                   "not closed", "Mutator");
    }
}

TEST_CASE("a mutator that is destroyed on another thread aborts") {
    CHECK_DIES(death::run([] {
                   Heap heap(objects::small());
                   auto me = std::make_unique<Mutator>(heap);
                   std::thread([&] { me.reset(); }).join();
               }),
               "Mutator", "another thread");
}

TEST_CASE("a detached scope that is destroyed while it is entered aborts and names it") {
    for (const Collector collector : {Collector::hinted, Collector::full}) {
        CHECK_DIES(attached(
                       [](Heap& heap) {
                           auto detached = std::make_unique<DetachedScope>(heap, "entered label");
                           DetachedScope::Enter inside(*detached);
                           detached.reset();
                       },
                       objects::small(collector)),
                   "entered label", "entered");
    }
}

TEST_CASE("a detached scope that is left while a scope is open in it aborts and names both") {
    CHECK_DIES(attached([](Heap& heap) {
                   DetachedScope detached(heap, "detached label");
                   auto inside = std::make_unique<DetachedScope::Enter>(detached);
                   Scope nested{"nested label"};
                   inside.reset();
               }),
               "detached label", "nested label");
}

TEST_CASE("a detached scope that is destroyed on a thread without a mutator aborts and names it") {
    CHECK_DIES(attached([](Heap& heap) {
                   auto detached = std::make_unique<DetachedScope>(heap, "carried away");
                   std::thread([&] { detached.reset(); }).join();
               }),
               "carried away", "thread");
}

TEST_CASE("a handle that another mutator uses aborts, whatever it does with it") {
    const char* what = nullptr;
    const auto use = [&](auto&& action) {
        return attached([&](Heap&) {
            auto handle = make<Node>();
            elsewhere([&] { action(handle); });
        });
    };
    SECTION("copies it") {
        what = "copied";
        CHECK_DIES(use([](Handle<Node>& handle) { Handle<Node> copy(handle); }), "Handle", what, "another mutator");
    }
    SECTION("moves it") {
        what = "moved";
        CHECK_DIES(use([](Handle<Node>& handle) { Handle<Node> moved(std::move(handle)); }), "Handle", what, "another mutator");
    }
    SECTION("drops it") {
        what = "dropped";
        CHECK_DIES(use([](Handle<Node>& handle) { handle.reset(); }), "Handle", what, "another mutator");
    }
    SECTION("assigns to it") {
        CHECK_DIES(use([](Handle<Node>& handle) { handle = nullptr; }), "Handle", "another mutator");
    }
    SECTION("assigns it to one of its own") {
        CHECK_DIES(use([](Handle<Node>& handle) {
                       auto own = make<Node>();
                       own = handle;
                   }),
                   "Handle", "another mutator");
    }
    SECTION("drops a weak one") {
        CHECK_DIES(attached([](Heap&) {
                       auto node = make<Node>();
                       WeakHandle<Node> weak(node);
                       elsewhere([&] { weak.reset(); });
                   }),
                   "Handle", "another mutator");
    }
}

TEST_CASE("a handle that a thread without a mutator uses aborts") {
    CHECK_DIES(attached([](Heap&) {
                   auto handle = make<Node>();
                   std::thread([&] { Handle<Node> copy(handle); }).join();
               }),
               "Handle");
    CHECK_DIES(attached([](Heap&) {
                   Node* const node = make_raw<Node>();
                   std::thread([&] { Handle<Node> handle(node); }).join();
               }),
               "Handle", "without a mutator");
}

TEST_CASE("a handle to what is not in the heap aborts") {
    CHECK_DIES(attached([](Heap&) {
                   Node on_stack;
                   Handle<Node> handle(&on_stack);
               }),
               "Handle", "not in the heap");
    CHECK_DIES(attached([](Heap&) {
                   Node on_stack;
                   WeakHandle<Node> handle(&on_stack);
               }),
               "WeakHandle", "not in the heap");
    CHECK_DIES(attached([](Heap&) {
                   Node on_stack;
                   GlobalHandle<Node> handle(&on_stack);
               }),
               "GlobalHandle", "not in the heap");
    CHECK_DIES(attached([](Heap&) {
                   Node* const node = make_raw<Node>();
                   elsewhere([&] { Handle<Node> handle(node); });
               }),
               "Handle", "not in the heap");
}

TEST_CASE("a reference to an object of another heap aborts") {
    CHECK_DIES(attached([](Heap&) {
                   Node* const node = make_raw<Node>();
                   elsewhere([&] { make_raw<Node>()->left = node; });
               }),
               "Ref", "another heap");
    CHECK_DIES(attached([](Heap&) {
                   Node* const node = make_raw<Node>();
                   elsewhere([&] { make_raw<Node>(node); });
               }),
               "Ref", "another heap");
    CHECK_DIES(attached([](Heap&) {
                   Node* const node = make_raw<Node>();
                   elsewhere([&] { node->left = make_raw<Node>(); });
               }),
               "Ref", "heap");
}

TEST_CASE("a reference to an object on the stack aborts") {
    CHECK_DIES(attached([](Heap&) {
                   Node on_stack;
                   make_raw<Node>()->left = &on_stack;
               }),
               "Ref", "heap");
}

TEST_CASE("a reference in the heap that a thread without a mutator writes aborts") {
    CHECK_DIES(attached([](Heap&) {
                   Node* const a = make_raw<Node>();
                   Node* const b = make_raw<Node>();
                   std::thread([&] { a->left = b; }).join();
               }),
               "Ref", "not attached");
}

TEST_CASE("under stress a handle made from a raw pointer into a scope that has ended aborts") {
    CHECK_DIES(death::run([] {
                   const Environment stress("PERFLOC_STRESS", "verify,move,poison");
                   Heap heap(objects::small());
                   Mutator me(heap);
                   Node* raw = nullptr;
                   {
                       Scope scope{"gone"};
                       raw = make_raw<Node>();
                   }
                   Handle<Node> handle(raw);
               }),
               "Handle", "ended", "[raw]");
}

TEST_CASE("a reference to a raw pointer into a scope that has ended aborts under stress") {
    CHECK_DIES(death::run([] {
                   const Environment stress("PERFLOC_STRESS", "poison");
                   Heap heap(objects::small());
                   Mutator me(heap);
                   auto outer = make<Node>();
                   Node* raw = nullptr;
                   {
                       Scope scope{"gone"};
                       raw = make_raw<Node>();
                   }
                   outer->left = raw;
               }),
               "Ref", "ended", "[raw]");
}

TEST_CASE("an alignment that no page has is refused with an exception, not an abort") {
    struct alignas(8192) Huge {
        char c;
    };
    const death::Child child = attached([](Heap&) { make_raw<Huge>(); });
    CHECK(child.exit_code() == 99);
    CHECK(child.err.find("8192") != std::string::npos);
}

TEST_CASE("more recorded slots than the reservation has room for abort and say what to do") {
    CHECK_DIES(attached(
                   [](Heap&) {
                       auto outer = make_array<Ref<Node>>(200'000);
                       Scope scope{"recorded"};
                       for (std::size_t i = 0; i < 200'000; ++i) (*outer)[i] = make_raw<Node>();
                   },
                   {.reserve = 12_MiB, .limit = 12_MiB}),
               "recorded slots", "reserve more");
}
