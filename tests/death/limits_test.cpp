#include "support/catch.hpp"

#include "api/objects.hpp"
#include "death/child.hpp"

#include <memory>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Node;

namespace {

template <class Body>
death::Child attached(Body&& body, Options options = objects::small()) {
    return death::run([&] {
        Heap heap(options);
        Mutator me(heap);
        body(heap);
    });
}

struct ByNewObject {
    Ref<Node> other;
    ~ByNewObject() { make_raw<Node>(other.get()); }
};

}  // namespace

TEST_CASE("an alignment that no page has is refused with an exception, not an abort") {
    struct alignas(8192) Huge {
        char c;
    };
    const death::Child child = attached([](Heap&) { make_raw<Huge>(); });
    CHECK(child.exit_code() == 99);
    CHECK(child.err.find("8192") != std::string::npos);
}

TEST_CASE("more recorded slots than the reservation has room for abort and say what to do") {
    const death::Child child = attached(
        [](Heap&) {
            auto outer = make_array<Ref<Node>>(200'000);
            Scope scope{"recorded"};
            for (std::size_t i = 0; i < 200'000; ++i) (*outer)[i] = make_raw<Node>();
        },
        {.reserve = 12_MiB, .limit = 12_MiB, .commit = Commit::in_steps});
    INFO(child.err);
    CHECK(child.died_saying({"recorded slots", "reserve more"}));
}

TEST_CASE("a destructor that makes an object which refers to a dying one aborts and names the type") {
    for (const bool at_scope_end : {true, false}) {
        const death::Child child = attached([&](Heap& heap) {
            auto scope = std::make_unique<Scope>(Label("dying"));
            make_raw<ByNewObject>(make_raw<Node>());
            if (at_scope_end) scope.reset();
            heap.collect_full();
        });
        INFO(child.err);
        CHECK(child.died_saying({"resurrect", "Node"}));
    }
}
