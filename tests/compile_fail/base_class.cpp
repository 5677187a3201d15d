// EXPECT: make the base a member, or give the class trace()
#include <perfloc/perfloc.hpp>
struct Base {
    int number;
};
struct Node : Base {
    perfloc::Ref<Node> next;
};
void f() { perfloc::make_raw<Node>(); }
