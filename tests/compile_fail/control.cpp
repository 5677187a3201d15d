// EXPECT-SUCCESS
// The control: everything here must compile, so that what fails beside it fails for its own reason.
#include <perfloc/perfloc.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using perfloc::Array;
using perfloc::Handle;
using perfloc::Ref;

enum class Color : std::uint8_t { red, black };
enum Plain { one, two };

struct Node {
    Ref<Node> left, right;
    std::int64_t key;
};

struct Inner {
    std::array<Ref<Node>, 2> pair;
    Color color;
};
struct Middle {
    Inner inner;
    std::array<Inner, 3> more;
    double weight;
};

class Traced {
public:
    explicit Traced(Node* node) : node_(node) {}
    Node* node() const { return node_; }
    void trace(perfloc::Tracer& tracer) const { tracer(node_, others_); }

private:
    Ref<Node> node_;
    Ref<Node> others_[4];
};

class Counter {
public:
    void add() { ++count_; }

private:
    int count_ = 0;
};
template <>
inline constexpr bool perfloc::holds_no_refs<Counter> = true;

struct Foreign;  // never completed here

struct Everything {
    Ref<Everything> self;
    Ref<Array<Ref<Node>>> nodes;
    Ref<Array<char>> text;
    Ref<const Node> constant;
    std::array<Ref<Node>, 4> children;
    std::array<std::array<Ref<Node>, 2>, 2> grid;
    Middle middle;
    Traced traced;
    Counter counter;
};

// Several smaller ones: Boost.PFR counts fields in a time that grows with the square of an aggregate's size.
struct Scalars {
    Ref<Node> node;
    bool flag;
    char letter;
    float real;
    Color color;
    Plain plain;
    int (*function)(Node*);
    std::int64_t Node::* member;
    std::FILE* file;
    Foreign* foreign;
    const char* literal;
    void* opaque;
};

struct Values {
    Ref<Node> node;
    std::string name;
    std::string_view view;
    std::vector<int> numbers;
    std::optional<int> maybe;
    std::chrono::nanoseconds duration;
    std::chrono::steady_clock::time_point when;
};

struct MoreValues {
    Ref<Node> node;
    std::vector<std::string> words;
    std::pair<int, std::string> pair;
};

struct alignas(64) Line {
    std::array<std::uint64_t, 8> words;
};
struct Resource {
    int descriptor;
    ~Resource() { descriptor = -1; }
};
struct Empty {};

struct Shape {
    int kind;
    virtual ~Shape() = default;
    virtual int area() const { return 0; }
    void trace(perfloc::Tracer&) const {}
};
struct Square : Shape {
    int side = 1;
    int area() const override { return side * side; }
};
struct Drawing {
    Ref<Shape> shape;
};

std::int64_t use(perfloc::Heap& heap) {
    perfloc::Mutator me(heap);
    perfloc::Scope s("control");
    Handle<Node> leaf = perfloc::make<Node>(nullptr, nullptr, 1);
    Node* raw = perfloc::make_raw<Node>(leaf, leaf->left, 2);
    Node* left = raw->left;
    raw->right = left;
    auto everything = perfloc::make_with<Everything>(
        [&] { return Everything{.self = nullptr, .children = {leaf, raw}, .traced = Traced(raw)}; });
    everything->self = everything;
    everything->constant = raw;
    everything->children[1] = leaf;
    everything->middle.inner.pair[0] = raw;
    auto scalars = perfloc::make<Scalars>();
    scalars->node = raw;
    auto values = perfloc::make<Values>();
    values->node = leaf;
    auto more_values = perfloc::make<MoreValues>();
    more_values->node = leaf;
    auto traced = perfloc::make<Traced>(raw);
    auto line = perfloc::make<Line>();
    auto resource = perfloc::make<Resource>(3);
    auto empty = perfloc::make<Empty>();
    auto number = perfloc::make<int>(3);
    auto text = perfloc::make<std::string>("text");
    auto nodes = perfloc::make_array<Ref<Node>>(8);
    auto chars = perfloc::make_array<char>(8, 'x');
    auto pairs = perfloc::make_array<Inner>(2);
    Handle<Shape> shape = perfloc::make<Square>();
    auto drawing = perfloc::make<Drawing>(shape);
    drawing->shape = perfloc::make_raw<Square>();
    swap(raw->left, raw->right);
    std::int64_t sum = traced->node()->key + *number + (*chars)[0] + static_cast<std::int64_t>(text->size());
    for (Node* n : *nodes) sum += n != nullptr ? n->key : 0;
    sum += resource->descriptor + static_cast<std::int64_t>(line->words[0] + pairs->size()) + drawing->shape->area();
    return empty ? sum : 0;
}
