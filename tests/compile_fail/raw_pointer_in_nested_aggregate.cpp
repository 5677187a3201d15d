// EXPECT: make the field a perfloc::Ref
#include <array>
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
};
struct Inner {
    std::array<Node*, 2> nodes;
};
struct Outer {
    int number;
    Inner inner;
};
void f() { perfloc::make_raw<Outer>(); }
