// EXPECT: might hide references
#include <perfloc/perfloc.hpp>
#include <vector>
struct Node {
    perfloc::Ref<Node> next;
};
struct Holder {
    std::vector<Node*> nodes;
};
void f() { perfloc::make_raw<Holder>(); }
