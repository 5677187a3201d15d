#include "support/catch.hpp"

#include "api/objects.hpp"
#include "gc/inspect.hpp"

#include <array>
#include <climits>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace perfloc;
using namespace perfloc::literals;
using objects::Leaf;
using objects::Mortal;
using objects::Node;

namespace {

struct Numbered {
    Ref<Node> node;
    int number;
};
struct Nested {
    int number;
    std::array<Ref<Node>, 2> pair;
    std::string text;
};
template <std::size_t N>
struct alignas(N) Aligned {
    Ref<Node> node;
    int value = 0;
};
class Fails {
public:
    explicit Fails(Node* node, int when) : node_(node) {
        part_ = make_raw<Node>(node_);
        if (when == 0) throw std::runtime_error("refused");
        if (when > 1) make<Fails>(node, when - 2);
    }
    void trace(Tracer& tracer) const { tracer(node_, part_); }

private:
    Ref<Node> node_, part_;
};
struct Element {
    static inline int alive = 0, throw_at = -1;
    Element() {
        if (alive == throw_at) throw std::runtime_error("no more");
        ++alive;
    }
    Element(const Element&) : Element() {}
    ~Element() { --alive; }
    void trace(Tracer& tracer) const { tracer(node); }
    Ref<Node> node;
};

struct Bench {
    Heap heap{objects::small()};
    Mutator me{heap};
};

std::string message(auto&& action) {
    try {
        action();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}
bool has(const std::string& text, std::initializer_list<const char*> parts) {
    UNSCOPED_INFO(text);
    return std::all_of(parts.begin(), parts.end(),
                       [&](const char* part) { return text.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("an aggregate is made from its fields, references from pointers, Refs, handles or null") {
    Bench bench;
    auto a = make<Node>(nullptr, nullptr, 1);
    auto b = make<Node>(a, a.get(), 2);
    Pin<Node> pin(b);
    auto c = make<Node>(b->left, pin, 3);
    CHECK(b->right == a.get());
    CHECK(c->left == a.get());
    CHECK(c->right == b.get());
    CHECK(c->value == 3);
    CHECK(make_raw<Node>()->value == 0);
    CHECK(make_raw<Node>(a)->left == a.get());
}

TEST_CASE("what needs nested braces is built in place by make_with") {
    Bench bench;
    auto a = make<Node>(nullptr, nullptr, 1);
    auto nested = make_with<Nested>([&] { return Nested{3, {a, nullptr}, "text"}; });
    CHECK(nested->pair[0] == a.get());
    CHECK(nested->text == "text");
    auto* raw = make_raw_with<Nested>([&] { return Nested{4, {nullptr, a}, ""}; });
    CHECK(raw->pair[1] == a.get());
    CHECK(raw->number == 4);
}

TEST_CASE("storage behind an object is as large as asked for, and its own") {
    Bench bench;
    std::vector<std::pair<Handle<Leaf>, std::size_t>> all;
    for (std::size_t n = 0; n < 300; n += 7) {
        Leaf* const leaf = make_raw<Leaf>(ExtraBytes{n}, static_cast<std::int64_t>(n));
        std::memset(static_cast<void*>(leaf + 1), static_cast<int>(n), n);
        all.emplace_back(leaf, n);
    }
    auto huge = make_raw<Leaf>(ExtraBytes{1_MiB}, 1);
    std::memset(static_cast<void*>(huge + 1), 1, 1_MiB);
    auto rooted = make_raw_in<Leaf>(bench.heap.root(), ExtraBytes{100}, 2);
    std::memset(static_cast<void*>(rooted + 1), 1, 100);
    bench.heap.collect_full();
    for (const auto& [leaf, n] : all) {
        REQUIRE(leaf->value == static_cast<std::int64_t>(n));
        const auto* const bytes = reinterpret_cast<const unsigned char*>(leaf.get() + 1);
        REQUIRE(std::all_of(bytes, bytes + n, [length = n](unsigned char byte) { return byte == length % 256; }));
    }
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("arrays are value-initialised, or filled with copies") {
    Bench bench;
    auto zeros = make_array<int>(1000);
    CHECK(zeros->size() == 1000);
    CHECK(std::accumulate(zeros->begin(), zeros->end(), 0) == 0);
    auto sevens = make_array<int>(10u, 7);
    CHECK(std::accumulate(sevens->span().begin(), sevens->span().end(), 0) == 70);
    auto nulls = make_array<Ref<Node>>(100);
    for (Node* node : *nulls) CHECK(node == nullptr);
    auto node = make<Node>();
    auto full = make_array<Ref<Node>>(100, node);
    for (Node* each : *full) CHECK(each == node.get());
    CHECK(make_array<char>(0)->empty());
    CHECK(make_raw_array<std::string>(3, std::string("abc"))->data()[2] == "abc");
    CHECK((*make_array_in<int>(bench.heap.root(), 5, 3))[4] == 3);
    CHECK(make_array_in<double>(bench.heap.root(), 5)->size() == 5);
    const Array<int>& read = *sevens;
    CHECK(read[9] == 7);
    CHECK(read.end() - read.begin() == 10);
}

TEST_CASE("an impossible length is refused, and the error names the type") {
    Bench bench;
    CHECK_THROWS_AS(make_array<int>(-1), LengthError);
    CHECK(has(message([] { make_array<int>(-1); }), {"Array<int>", "negative", "-1"}));
    CHECK_THROWS_AS(make_array<int>(LLONG_MIN), LengthError);
    CHECK_THROWS_AS(make_raw_array<int>(SIZE_MAX), LengthError);
    CHECK_THROWS_AS(make_array<double>(SIZE_MAX / 8), LengthError);
    CHECK_THROWS_AS(make_array<double>(SIZE_MAX / 8 + 2), LengthError);
    CHECK_THROWS_AS(make_array<char>(std::size_t{1} << 47), LengthError);
    CHECK(has(message([] { make_raw_array<Node>(SIZE_MAX); }), {"Array<", "Node", "overflow"}));
    CHECK(make_array<int>(3)->size() == 3);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("an over-aligned type is aligned, whatever lies before it") {
    Bench bench;
    const auto check = [](auto aligned, std::size_t alignment) {
        CHECK(reinterpret_cast<std::uintptr_t>(aligned.get()) % alignment == 0);
        CHECK(aligned->value == 5);
    };
    std::vector<Handle<Aligned<64>>> all;
    for (int i = 0; i < 500; ++i) {
        if (i % 3 == 0) make_raw<std::string>("a pinned object of another size");
        all.push_back(make<Aligned<64>>(nullptr, 5));
        check(make<Aligned<16>>(nullptr, 5), 16);
        check(make<Aligned<128>>(nullptr, 5), 128);
        check(make<Aligned<4096>>(nullptr, 5), 4096);
        check(make_in<Aligned<32>>(bench.heap.root(), nullptr, 5), 32);
    }
    bench.heap.collect_full();
    for (const auto& each : all) check(each, 64);
    auto large = make_array<Aligned<64>>(5000);
    CHECK(reinterpret_cast<std::uintptr_t>(large->data()) % 64 == 0);
    auto small = make_array<Aligned<64>>(5);
    CHECK(reinterpret_cast<std::uintptr_t>(small->data()) % 64 == 0);
    (*large)[4999].node = make_raw<Node>(nullptr, nullptr, 9);
    bench.heap.collect_full();
    CHECK((*large)[4999].node->value == 9);
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a large over-aligned array survives its scope") {
    Bench bench;
    Handle<Array<Aligned<64>>> large;
    {
        Scope scope{"large"};
        large = make_array<Aligned<64>>(3000);
        (*large)[2999].node = make_raw<Node>(nullptr, nullptr, 9);
    }
    CHECK((*large)[2999].node->value == 9);
    CHECK(bench.heap.verify().ok());
    large.reset();
    bench.heap.collect_full();
    CHECK(bench.heap.stats().used_bytes() < 100_KiB);
}

TEST_CASE("objects of every size around the border between small and large are whole") {
    Bench bench;
    std::vector<Handle<Array<char>>> all;
    for (std::size_t n = 32_KiB - 40; n < 32_KiB + 40; ++n) all.push_back(make_array<char>(n, static_cast<char>(n)));
    bench.heap.collect_full();
    for (const auto& each : all) {
        const auto n = each->size();
        REQUIRE(std::all_of(each->begin(), each->end(), [n](char c) { return c == static_cast<char>(n); }));
    }
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("a constructor that throws leaves the heap usable, however deep") {
    Bench bench;
    auto node = make<Node>(nullptr, nullptr, 6);
    for (int round = 0; round < 100; ++round) {
        CHECK_THROWS_AS(make<Fails>(node.get(), 0), std::runtime_error);
        CHECK_THROWS_AS(make<Fails>(node.get(), 6), std::runtime_error);
        CHECK_THROWS_AS(make_in<Fails>(bench.heap.root(), node.get(), 2), std::runtime_error);
        CHECK(make<Fails>(node.get(), 3) != nullptr);
        CHECK_THROWS_AS(make_with<Nested>([]() -> Nested { throw std::runtime_error("no"); }), std::runtime_error);
    }
    CHECK(bench.heap.verify().ok());
    bench.heap.collect_full();
    CHECK(bench.heap.verify().ok());
    CHECK(node->value == 6);
    Scope scope{"may end"};
    CHECK_THROWS_AS(make<Fails>(node.get(), 0), std::runtime_error);
    scope.end();
    CHECK(bench.heap.verify().ok());
}

TEST_CASE("when an element's constructor throws those before it are destroyed, once") {
    Bench bench;
    Element::alive = 0;
    Element::throw_at = 7;
    CHECK_THROWS_AS(make_array<Element>(10), std::runtime_error);
    CHECK(Element::alive == 0);
    Element::throw_at = -1;
    {
        Scope scope{"whole"};
        make_array<Element>(10);
        CHECK(Element::alive == 10);
    }
    CHECK(Element::alive == 0);
    bench.heap.collect_full();
    CHECK(Element::alive == 0);
}

TEST_CASE("an object is made where it is told to be made") {
    Bench bench;
    Scope outer{"outer"};
    DetachedScope detached(bench.heap, "detached");
    Scope inner{"inner"};
    CHECK(inspect::scope(make_in<Node>(outer).get()) == "outer");
    CHECK(inspect::scope(make_in<Node>(inner).get()) == "inner");
    CHECK(inspect::scope(make_in<Node>(detached).get()) == "detached");
    CHECK(inspect::scope(make_raw_in<Node>(bench.heap.root())) == "(root)");
    CHECK(inspect::scope(detached.make_array<int>(5, 1).get()) == "detached");
    CHECK(inspect::scope(make_raw_in<std::string>(outer, "pinned")) == "outer");
    CHECK(inspect::scope(make_array_in<char>(outer, 100'000).get()) == "outer");
    CHECK(inspect::scope(make_raw<Node>()) == "inner");
    detached.end();
    CHECK_THROWS_AS(detached.make<Node>(), ScopeError);
    CHECK_THROWS_AS(make_in<Node>(detached), ScopeError);
    inner.end();
    CHECK_THROWS_AS(make_in<Node>(inner), ScopeError);
}

TEST_CASE("allocation moves nothing, however much of it there is") {
    Bench bench;
    std::vector<std::pair<Node*, int>> raw;
    for (int i = 0; i < 300'000; ++i) {
        Node* const node = make_raw<Node>(nullptr, nullptr, i);
        if (i % 1000 == 0) raw.emplace_back(node, i);
        if (i % 5000 == 0) make_raw_array<char>(50'000);
        if (i % 100 == 0) {
            Scope scope{"inner"};
            make_raw<Node>(node);
        }
    }
    for (const auto& [node, i] : raw) REQUIRE(node->value == i);
}

TEST_CASE("on a thread without a mutator every way to make an object is refused with the type's name") {
    Bench bench;
    std::thread([] {
        CHECK_THROWS_AS(make<Node>(), AttachError);
        CHECK(has(message([] { make_raw<Node>(); }), {"Node", "without a mutator"}));
        CHECK_THROWS_AS(make_raw<std::string>("x"), AttachError);
        CHECK_THROWS_AS(make_array<int>(5), AttachError);
        CHECK_THROWS_AS(make_array<char>(1_MiB), AttachError);
        CHECK_THROWS_AS(Scope("unattached"), AttachError);
        CHECK(has(message([] { Scope scope{"unattached"}; }), {"unattached", "without a mutator"}));
        CHECK_THROWS_AS(poll(), AttachError);
    }).join();
    std::thread([&] { CHECK_THROWS_AS(make_in<Node>(bench.heap.root()), AttachError); }).join();
}

namespace make_test {

/// A number of the user's: to make one from an int runs his code. (Of external linkage: Clang asks for that in an optional field.)
struct Polls {
    int number = 0;
    constexpr Polls() = default;
    Polls(int n) : number(n) {
        poll();
        quiet = detail::hot.quiet != 0;
    }
    static inline bool quiet = false;
};

}  // namespace make_test

template <>
inline constexpr bool perfloc::holds_no_refs<make_test::Polls> = true;

using make_test::Polls;

TEST_CASE("a constructor of the user's that an argument runs, deep in the standard library's classes, is not quiet") {
    struct Record {
        Ref<Node> node;
        std::optional<Polls> number;
    };
    Heap heap(objects::small());
    Mutator me(heap);
    const auto node = make<Node>();
    Polls::quiet = false;
    const auto record = make<Record>(node, 5);
    CHECK(Polls::quiet);
    CHECK(record->node == node.get());
    CHECK(record->number->number == 5);
}

TEST_CASE("an argument's conversion does not end the current scope") {
    struct Again {
        std::optional<Scope>& scope;
        bool& refused;
        operator int() const {
            try {
                scope->end();
            } catch (const ScopeError&) {
                refused = true;
            }
            return 1;
        }
    };
    Heap heap(objects::small());
    Mutator me(heap);
    std::optional<Scope> scope;
    scope.emplace(Label("first"));
    const auto node = make<Node>(nullptr, nullptr, 42);
    bool refused = false;
    const auto numbered = make_in<Numbered>(heap.root(), node, Again{scope, refused});
    CHECK(refused);
    CHECK(numbered->node == node.get());
    CHECK(numbered->node->value == 42);
    scope.reset();
}

TEST_CASE("an argument whose conversion ends a detached scope leaves the other arguments' objects where they are") {
    struct Ends {
        DetachedScope& scope;
        operator int() const {
            scope.end();
            return 7;
        }
    };
    Heap heap(objects::small());
    Mutator me(heap);
    DetachedScope scope(heap, "ends");
    const Handle<Node> node = scope.make<Node>(nullptr, nullptr, 42);
    const Handle<Numbered> numbered = make<Numbered>(node, Ends{scope});
    CHECK(numbered->node == node.get());
    CHECK(numbered->node->value == 42);
    CHECK(numbered->number == 7);
    me.collect_until(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    CHECK(numbered->node->value == 42);
    CHECK(heap.verify().ok());
}
