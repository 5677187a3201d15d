#include "support/catch.hpp"

#include "api/environment.hpp"
#include "api/objects.hpp"

using namespace perfloc;
using objects::Node;

/// law [quiet]: while a constructor or a destructor of a managed object runs, nothing moves or dies under it.
namespace {

Heap* the_heap;
std::uint64_t collections() { return the_heap->stats().full_collections(); }

class Polls {
public:
    explicit Polls(Node* node) : node_(node) {
        const Polls* const before = this;
        Node* const raw = make_raw<Node>(nullptr, nullptr, 17);
        raw_ = raw;
        poll();
        the_heap->collect_full();
        moved_ = before != this || raw_ != raw || raw->value != 17;
    }
    ~Polls() {
        const std::uint64_t before = collections();
        poll();
        the_heap->collect_full();
        if (collections() != before) ++collected_in_destructor;
    }
    void trace(Tracer& tracer) const { tracer(node_, raw_); }
    bool moved() const { return moved_; }
    Node* node() const { return node_; }

    static inline int collected_in_destructor = 0;

private:
    Ref<Node> node_, raw_;
    bool moved_ = false;
};

}  // namespace

TEST_CASE("polls and collections inside a constructor do nothing, and outside they do") {
    const Environment stress("PERFLOC_STRESS", "move");
    Heap heap(objects::small());
    the_heap = &heap;
    Mutator me(heap);
    auto node = make<Node>(nullptr, nullptr, 3);
    const Node* const place = node.get();
    auto object = make<Polls>(node.get());
    CHECK(collections() == 0);
    CHECK_FALSE(object->moved());
    CHECK(object->node() == place);
    poll();
    CHECK(collections() == 1);
    CHECK(node.get() != place);
    CHECK(object->node() == node.get());
}

TEST_CASE("polls and collections inside a destructor do nothing") {
    const Environment stress("PERFLOC_STRESS", "move");
    Heap heap(objects::small());
    the_heap = &heap;
    Mutator me(heap);
    auto node = make<Node>(nullptr, nullptr, 3);
    const Node* const place = node.get();
    Polls::collected_in_destructor = 0;
    {
        Scope scope{"quiet"};
        make_raw<Polls>(node.get());
    }
    CHECK(collections() == 0);
    CHECK(node.get() == place);
    make_raw<Polls>(node.get());
    heap.collect_full();
    CHECK(collections() == 1);
    CHECK(Polls::collected_in_destructor == 0);
}

TEST_CASE("a safepoint is one again after a constructor has thrown") {
    class Throws {
    public:
        Throws() { throw 1; }
        void trace(Tracer& tracer) const { tracer(node_); }

    private:
        Ref<Node> node_;
    };
    const Environment stress("PERFLOC_STRESS", "move");
    Heap heap(objects::small());
    the_heap = &heap;
    Mutator me(heap);
    CHECK_THROWS_AS(make<Throws>(), int);
    poll();
    CHECK(collections() == 1);
}

TEST_CASE("neither allocation nor a scope's end is a safepoint") {
    Heap heap(objects::small(Collector::full));
    the_heap = &heap;
    Mutator me(heap);
    for (int i = 0; i < 1000; ++i) {
        Scope scope{"scope"};
        make_raw_array<char>(30'000);
    }
    CHECK(collections() == 0);
    poll();
    CHECK(collections() == 1);
}

namespace {

/// An argument whose conversion runs while the object is half built.
struct Converts {
    Heap& heap;
    operator std::uint64_t() const {
        for (int i = 0; i < 100'000; ++i) make_raw<Node>();  // another span, of another size
        poll();
        heap.collect_full();
        return 5;
    }
};

struct Held {
    Ref<Node> node;
    std::uint64_t number = 0;
};

}  // namespace

TEST_CASE("nothing moves while an argument is converted to a field, and what the object refers to is recorded") {
    Heap heap(objects::small());
    Mutator me(heap);
    DetachedScope other(heap, "other");
    const Handle<Node> node(other.make_raw<Node>(nullptr, nullptr, 17));
    const auto before = heap.stats().full_collections();
    const Handle<Held> held(make_raw<Held>(node.get(), Converts{heap}));
    const Handle<Array<std::uint64_t>> numbers = make_array<std::uint64_t>(3, Converts{heap});
    CHECK(heap.stats().full_collections() == before);
    CHECK(heap.verify().ok());
    other.end();
    heap.collect_full();
    CHECK(held->node->value == 17);
    CHECK(held->number == 5);
    CHECK((*numbers)[2] == 5);
    CHECK(heap.verify().ok());
}
