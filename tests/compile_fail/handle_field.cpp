// EXPECT: holds a Handle, which is a root and would never die; make the field a perfloc::Ref
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    perfloc::Handle<Node> back;
};
void f() { perfloc::make_raw<Node>(); }
