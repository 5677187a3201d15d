#include "support/catch.hpp"

#include "api/objects.hpp"

using namespace perfloc;
using objects::Node;

/// Handles that outlive their mutator or their heap read null from then on, and one line says so.
namespace {

template <class... Texts>
void exits_saying(const death::Child& child, Texts... texts) {
    INFO(child.err);
    CHECK(child.exit_code() == 0);
    const std::vector<std::string> lines = child.perfloc_lines();
    REQUIRE(lines.size() == 1);
    (CHECK(lines.front().find(texts) != std::string::npos), ...);
}

}  // namespace

TEST_CASE("handles that outlive their mutator read null and are reported") {
    exits_saying(death::run([] {
                     Heap heap(objects::small());
                     Handle<Node> a, b;
                     WeakHandle<Node> weak;
                     {
                         Mutator me(heap);
                         a = make<Node>();
                         b = make_in<Node>(heap.root());
                         weak = WeakHandle<Node>(a);
                     }
                     if (a || b || a.get() != nullptr || !weak.expired()) return 1;
                     if (heap.stats().lost_handles() != 3) return 2;
                     a.reset();  // harmless
                     return 0;
                 }),
                 "3 handles", "null");
}

TEST_CASE("one handle is reported in the singular") {
    exits_saying(death::run([] {
                     Heap heap(objects::small());
                     Handle<Node> a;
                     Mutator me(heap);
                     a = make<Node>();
                     return 0;
                 }),
                 "1 handle outlived");
}

TEST_CASE("a lost Pin pins no more") {
    exits_saying(death::run([] {
                     Heap heap(objects::small());
                     std::unique_ptr<Pin<Node>> pin;
                     {
                         Mutator me(heap);
                         pin = std::make_unique<Pin<Node>>(make_in<Node>(heap.root()));
                     }
                     if (pin->get() != nullptr) return 1;
                     pin.reset();
                     Mutator me(heap);
                     heap.collect_full();
                     return heap.verify().ok() ? 0 : 2;
                 }),
                 "outlived");
}

TEST_CASE("global handles that outlive their heap read null and are reported") {
    exits_saying(death::run([] {
                     GlobalHandle<Node> global, copy;
                     GlobalWeakHandle<Node> weak;
                     {
                         Heap heap(objects::small());
                         Mutator me(heap);
                         global = GlobalHandle<Node>(make<Node>());
                         weak = GlobalWeakHandle<Node>(global.get());
                     }
                     copy = global;
                     return global || copy || weak ? 1 : 0;
                 }),
                 "2 global handles", "null");
}

TEST_CASE("nothing is reported where no handle is left") {
    const death::Child child = death::run([] {
        Heap heap(objects::small());
        Mutator me(heap);
        auto a = make<Node>();
        GlobalHandle<Node> global(a);
        WeakHandle<Node> weak(a);
    });
    CHECK(child.exit_code() == 0);
    CHECK(child.err.empty());
}
