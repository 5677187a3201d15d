// EXPECT: perfloc: a plain pointer to a managed type is not seen by the collector; use perfloc::Ref
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> next;
};

void use() { perfloc::make_array<Node*>(3); }
