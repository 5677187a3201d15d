// EXPECT: perfloc::Ref<Node>
#include <perfloc/perfloc.hpp>
#include <vector>
struct Node {
    perfloc::Ref<Node> left;
};
void f(const std::vector<perfloc::Ref<Node>>& all) { std::vector<perfloc::Ref<Node>> copy(all); }
