#include "support/catch.hpp"

#include "api/objects.hpp"

using namespace perfloc;
using objects::Node;

/// A destructor that stores its dying object, or one beside it, where it would live on.
namespace {

Node* root_node;
Handle<Node>* kept;

struct ByRef {
    Ref<Node> other;
    ~ByRef() { root_node->left = other; }
};
struct ByHandle {
    Ref<Node> other;
    ~ByHandle() { *kept = other; }
};
struct ByNewObject {
    Ref<Node> other;
    ~ByNewObject() { make_raw<Node>(other.get()); }
};
struct ByLocalHandle {
    Ref<Node> other;
    ~ByLocalHandle() {
        Handle<Node> only_here(other);
        const WeakHandle<Node> weak(only_here);
    }
};

template <class T, class End>
death::Child dies(End&& end) {
    return death::run([&] {
        Heap heap(objects::small());
        Mutator me(heap);
        auto outer = make<Node>();
        root_node = outer.get();
        Handle<Node> handle;
        kept = &handle;
        end(heap, [] { make_raw<T>(make_raw<Node>()); });
    });
}

const auto at_scope_end = [](Heap&, auto&& body) {
    Scope scope{"dying"};
    body();
};
const auto in_full_collection = [](Heap& heap, auto&& body) {
    body();
    heap.collect_full();
};

}  // namespace

TEST_CASE("a destructor that stores a dying object in a living one aborts and names the type") {
    for (const death::Child& child : {dies<ByRef>(at_scope_end), dies<ByRef>(in_full_collection)}) {
        INFO(child.err);
        CHECK(child.died_saying({"resurrect", "Node"}));
    }
}

TEST_CASE("a destructor that leaves a handle to a dying object aborts and names the type") {
    for (const death::Child& child : {dies<ByHandle>(at_scope_end), dies<ByHandle>(in_full_collection)}) {
        INFO(child.err);
        CHECK(child.died_saying({"resurrect", "Node"}));
    }
}

TEST_CASE("a destructor that makes an object which refers to a dying one aborts and names the type") {
    for (const death::Child& child : {dies<ByNewObject>(at_scope_end), dies<ByNewObject>(in_full_collection)}) {
        INFO(child.err);
        CHECK(child.died_saying({"resurrect", "Node"}));
    }
}

TEST_CASE("a handle to a dying object that is dropped before the destructor returns is no resurrection") {
    for (const death::Child& child : {dies<ByLocalHandle>(at_scope_end), dies<ByLocalHandle>(in_full_collection)}) {
        INFO(child.err);
        CHECK(child.exit_code() == 0);
    }
}
