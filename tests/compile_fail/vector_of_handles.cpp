// EXPECT: perfloc: a field of this class might hide references
// EXPECT: Owner
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> next;
};
struct Owner {
    std::vector<perfloc::Handle<Node>> nodes;
};

void use() { perfloc::make<Owner>(); }
