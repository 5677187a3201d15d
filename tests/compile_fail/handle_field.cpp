// EXPECT: perfloc: a managed object holds a Handle, which is a root and would never die; make the field a perfloc::Ref
// EXPECT: Owner
#include <perfloc/perfloc.hpp>

struct Node {
    perfloc::Ref<Node> next;
};
struct Owner {
    perfloc::Handle<Node> node;
};

void use() { perfloc::make<Owner>(); }
