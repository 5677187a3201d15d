// EXPECT: deleted
// EXPECT: Ref
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> left;
};

void use(Node* n) { auto l = n->left; }
