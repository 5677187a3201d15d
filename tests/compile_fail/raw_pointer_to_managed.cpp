// EXPECT: perfloc: a managed object holds a plain pointer to a managed type
// EXPECT: List
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> next;
};
struct List {
    Node* first;
    int length;
};

void use() { perfloc::make<List>(); }
