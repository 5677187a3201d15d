// EXPECT: use std::array, or give
#include <perfloc/perfloc.hpp>
struct Node {
    int value;
    perfloc::Ref<Node> kids[4];
};
void f() { perfloc::make_raw<Node>(); }
