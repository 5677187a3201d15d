// EXPECT: Ref<Node>
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> left;
};
struct Other {
    int value;
};
void f(Node* n, Other* other) { n->left = other; }
