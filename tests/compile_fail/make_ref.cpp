// EXPECT: perfloc: a Ref or Handle is no object of its own; wrap it in a struct
#include <perfloc/perfloc.hpp>

struct Node {
    int key;
};

void use() { perfloc::make<perfloc::Ref<Node>>(); }
