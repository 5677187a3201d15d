// EXPECT: use std::array, or give
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    char name[16];
};
void f() { perfloc::make_raw<Node>(); }
