// EXPECT: error
// EXPECT: Ref<Node>
#include <perfloc/perfloc.hpp>

struct Other {
    int key;
};
struct Node {
    perfloc::Ref<Node> next;
};

void use(Node& node, Other* other) { node.next = other; }
