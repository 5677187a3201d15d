// EXPECT: might hide references
#include <perfloc/perfloc.hpp>
#include <optional>
struct Node {
    perfloc::Ref<Node> next;
    std::optional<perfloc::Ref<Node>> other;
};
void f() { perfloc::make_raw<Node>(); }
