// EXPECT: deleted
#include <perfloc/perfloc.hpp>
#include <utility>
struct Node {
    perfloc::Ref<Node> left;
};
void f(Node* n) { perfloc::Ref<Node> l(std::move(n->left)); }
