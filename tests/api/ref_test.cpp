#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <iterator>
#include <memory>
#include <numeric>
#include <ranges>

using namespace perfloc;
using objects::Leaf;
using objects::Node;

static_assert(!std::is_copy_constructible_v<Ref<Node>>);
static_assert(!std::is_move_constructible_v<Ref<Node>>);
static_assert(!std::is_constructible_v<Ref<Node>, Ref<Node>&>);
static_assert(std::is_copy_assignable_v<Ref<Node>>);
static_assert(std::is_nothrow_default_constructible_v<Ref<Node>>);
static_assert(std::is_convertible_v<Ref<Node>&, Node*>);
static_assert(std::is_assignable_v<Ref<Node>&, Node*>);
static_assert(std::is_assignable_v<Ref<Node>&, Handle<Node>>);
static_assert(std::is_assignable_v<Ref<Node>&, std::nullptr_t>);
static_assert(!std::is_assignable_v<Ref<Node>&, Leaf*>);
static_assert(!std::is_assignable_v<Ref<Node>&, const Node*>);
static_assert(std::is_assignable_v<Ref<const Node>&, Node*>);
static_assert(!std::is_copy_constructible_v<Node>);
static_assert(sizeof(Ref<Node>) == sizeof(void*));
static_assert(std::random_access_iterator<decltype(std::declval<Array<Ref<Node>>&>().begin())>);
static_assert(std::sortable<decltype(std::declval<Array<Ref<Node>>&>().begin()), std::ranges::less,
                            decltype([](Node* n) { return n->value; })>);
static_assert(std::contiguous_iterator<decltype(std::declval<Array<int>&>().begin())>);

namespace {

struct Base {
    Ref<Node> node;
    int number = 0;
};
class Derived : public Base {
public:
    void trace(Tracer& tracer) const { tracer(node, more_); }
    explicit Derived(int n) { number = n; }

private:
    Ref<Node> more_;
};

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};

    /// An array of nodes in an inner scope's order of values, from an outer scope.
    Handle<Array<Ref<Node>>> array(std::size_t n) {
        auto all = make_array<Ref<Node>>(n);
        for (std::size_t i = 0; i < n; ++i)
            (*all)[i] = make_raw<Node>(nullptr, nullptr, static_cast<int>(i * 7919 % n));
        return all;
    }
};

bool ascending(Array<Ref<Node>>& array) {
    for (std::size_t i = 0; i < array.size(); ++i) {
        if (array[i]->value != static_cast<int>(i)) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("a Ref reads as a plain pointer") {
    Bench bench;
    auto child = make<Node>(nullptr, nullptr, 3);
    auto parent = make<Node>(child);
    Node* const read = parent->left;
    CHECK(read == child.get());
    CHECK(parent->left.get() == read);
    CHECK(parent->left->value == 3);
    CHECK((*parent->left).value == 3);
    CHECK(parent->left == child.get());
    CHECK(parent->right == nullptr);
    CHECK((parent->right ? 1 : 2) == 2);
}

TEST_CASE("a Ref is assigned pointers, handles, other Refs and null") {
    Bench bench;
    auto a = make<Node>();
    auto b = make<Node>(a);
    b->right = b->left;
    CHECK(b->right == a.get());
    b->right = b;
    CHECK(b->right == b.get());
    b->right = nullptr;
    CHECK(b->right == nullptr);
    b->left = b->left;
    CHECK(b->left == a.get());
}

TEST_CASE("swapping two Refs keeps both targets alive, also across scopes") {
    Bench bench;
    auto outer = make<Node>();
    {
        Scope scope{"inner"};
        outer->left = make_raw<Node>(nullptr, nullptr, 1);
        auto inner = make<Node>(outer, make_raw<Node>(nullptr, nullptr, 2));
        swap(outer->left, inner->right);
        std::ranges::swap(inner->left, inner->right);
        CHECK(inner->left->value == 1);
        CHECK(inner->right == outer.get());
    }
    CHECK(outer->left->value == 2);
    swap(outer->left, outer->left);
    CHECK(outer->left->value == 2);
}

TEST_CASE("std::sort sorts an array of Refs") {
    Bench bench;
    auto array = bench.array(1009);
    std::sort(array->begin(), array->end(), [](const Node* a, const Node* b) { return a->value < b->value; });
    CHECK(ascending(*array));
}

TEST_CASE("ranges::sort with a projection sorts an array of Refs") {
    Bench bench;
    auto array = bench.array(1009);
    std::ranges::sort(*array, {}, [](Node* node) { return node->value; });
    CHECK(ascending(*array));
    std::ranges::reverse(*array);
    CHECK((*array)[0]->value == 1008);
    std::ranges::stable_sort(*array, [](Node* a, Node* b) { return a->value < b->value; });
    CHECK(ascending(*array));
}

TEST_CASE("sorting an outer array of inner objects records what it moves about") {
    Bench bench;
    auto outer = make_array<Ref<Node>>(503);
    {
        Scope inner{"inner"};
        auto array = bench.array(503);
        for (std::size_t i = 0; i < 503; ++i) (*outer)[i] = (*array)[i];
        std::sort(outer->begin(), outer->end(), [](Node* a, Node* b) { return a->value < b->value; });
    }
    CHECK(ascending(*outer));
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("range-for over an array of Refs gives plain pointers, and assigns by reference") {
    Bench bench;
    auto array = bench.array(10);
    int sum = 0;
    for (Node* node : *array) sum += node->value;
    CHECK(sum == 45);
    for (auto& slot : *array) slot = nullptr;
    for (Node* node : *array) CHECK(node == nullptr);
    const Array<Ref<Node>>& read = *array;
    CHECK(std::distance(read.begin(), read.end()) == 10);
}

TEST_CASE("the iterators of an array of Refs are random access iterators") {
    Bench bench;
    auto array = bench.array(10);
    auto first = array->begin();
    auto last = array->end();
    CHECK(last - first == 10);
    CHECK(first + 10 == last);
    CHECK(10 + first == last);
    CHECK(last - 10 == first);
    CHECK(first < last);
    CHECK(first[3] == (*array)[3].get());
    CHECK((first + 3)->get() == first[3].get());
    auto at = first;
    CHECK(at++ == first);
    CHECK(--at == first);
    CHECK(++at == first + 1);
    CHECK(at-- == first + 1);
    at += 5;
    at -= 2;
    CHECK(at == first + 3);
    CHECK(std::ranges::iter_move(at) == first[3].get());
    CHECK(decltype(at)() == decltype(at)());
}

TEST_CASE("a Ref to a base takes a derived object whose base is at its start") {
    Bench bench;
    struct Holder {
        Ref<Base> base;
    };
    auto holder = make<Holder>(make<Derived>(5));
    CHECK(holder->base->number == 5);
    Handle<Base> handle = make<Derived>(6);
    CHECK(handle->number == 6);
    holder->base = handle;
    CHECK(holder->base->number == 6);
    Handle<const Base> read = handle;
    CHECK(read->number == 6);
}

TEST_CASE("in an aggregate on the stack a Ref is a plain pointer") {
    Bench bench;
    auto a = make<Node>(nullptr, nullptr, 1);
    Node on_stack{a.get(), nullptr, 2};
    on_stack.right = a;
    CHECK(on_stack.left == on_stack.right);
    swap(on_stack.left, on_stack.right);
    on_stack.left = nullptr;
    CHECK(inspect::recorded(a.get()) == 0);
    Node detached_from_any_heap{&on_stack, nullptr, 3};
    CHECK(detached_from_any_heap.left->value == 2);
}

TEST_CASE("a Ref on a thread's stack works without a mutator") {
    Node a{nullptr, nullptr, 1};
    Node b{&a, nullptr, 2};
    b.right = &a;
    swap(b.left, b.right);
    CHECK(b.left->value == 1);
}

TEST_CASE("references to outer scopes are not recorded, references to inner ones are") {
    Bench bench;
    Scope outer{"outer"};
    auto a = make<Node>();
    auto root = make_in<Node>(bench.heap.root());
    Scope inner{"inner"};
    auto b = make<Node>(a, root);
    b->left = root;
    b->left = a;
    CHECK(inspect::recorded(a.get()) == 0);
    CHECK(inspect::recorded(root.get()) == 0);
    a->left = b;
    CHECK(inspect::recorded(b.get()) == 1);
    root->left = b;
    CHECK(inspect::recorded(b.get()) == 2);
    DetachedScope detached(bench.heap, "detached");
    auto c = detached.make<Node>(b, a);
    CHECK(inspect::recorded(b.get()) == 3);
    CHECK(inspect::recorded(a.get()) == 1);
    CHECK(inspect::region(b.get()).attention != 0);
    CHECK(bench.heap.verify().ok());
}
