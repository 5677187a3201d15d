// EXPECT: make the field a perfloc::Ref
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    Node* back;
};
void f() { perfloc::make_raw<Node>(); }
