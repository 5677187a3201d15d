// EXPECT: const Node
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> left;
};
void f(Node* n, const Node* other) { n->left = other; }
