// EXPECT: perfloc: the fields of an aggregate with a base class cannot be reflected; make the base a member
// EXPECT: Derived
#include <perfloc/perfloc.hpp>

struct Base {
    int key;
};
struct Derived : Base {
    perfloc::Ref<Derived> next;
};

void use() { perfloc::make<Derived>(); }
