// EXPECT: perfloc: a union cannot be a managed object
// EXPECT: Number
#include <perfloc/perfloc.hpp>

union Number {
    int whole;
    float real;
};
struct Node {
    perfloc::Ref<Node> next;
    Number number;
};

void use() { perfloc::make<Node>(); }
