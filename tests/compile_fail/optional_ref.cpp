// EXPECT: perfloc: a field of this class might hide references; use Ref or std::array
// EXPECT: Node
#include <perfloc/perfloc.hpp>

#include <optional>

struct Node {
    std::optional<perfloc::Ref<Node>> next;
};

void use() { perfloc::make<Node>(); }
