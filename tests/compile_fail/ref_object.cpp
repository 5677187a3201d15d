// EXPECT: a Ref or Handle is no object of its own; wrap it in a struct
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
};
void f() { perfloc::make_raw<perfloc::Ref<Node>>(); }
