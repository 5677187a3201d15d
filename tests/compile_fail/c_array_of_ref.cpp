// EXPECT: perfloc: the fields of an aggregate with a C array cannot be reflected; use std::array, or give trace()
// EXPECT: Node
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> children[4];
    int key;
};

void use() { perfloc::make<Node>(); }
