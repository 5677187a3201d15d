// EXPECT: perfloc: a Ref or handle to a base class takes a derived object only where the base is at offset 0
// EXPECT: CheckBase<Derived, Base>
#include <perfloc/perfloc.hpp>

struct Base {
    int a;
};
struct Derived : virtual Base {
    int b;
};
struct Owner {
    perfloc::Ref<Base> base;
};

void use(Owner& owner, Derived* derived) { owner.base = derived; }
