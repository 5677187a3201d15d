// EXPECT: deleted
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> left;
    int value;
};
void f(const Node& n) { Node copy = n; }
