// EXPECT: perfloc: a managed object holds a plain pointer to a managed type
// EXPECT: Tree
#include <perfloc/perfloc.hpp>

struct Tree {
    perfloc::Ref<Tree> child;
    Tree* parent;
};

void use() { perfloc::make<Tree>(); }
