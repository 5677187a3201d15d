// EXPECT: perfloc: make<T> takes an object type without const
#include <perfloc/perfloc.hpp>

struct Node {
    int key;
};

void use() { perfloc::make<const Node>(1); }
