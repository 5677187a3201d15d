// EXPECT: deleted
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> left;
};
void f(Node* n) { auto l = n->left; }
