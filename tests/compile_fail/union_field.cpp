// EXPECT: a union cannot be a managed object
#include <perfloc/perfloc.hpp>
union Either {
    int number;
    float real;
};
struct Node {
    perfloc::Ref<Node> next;
    Either either;
};
void f() { perfloc::make_raw<Node>(); }
