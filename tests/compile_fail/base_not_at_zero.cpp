// EXPECT: perfloc: a Ref or handle to a base class takes a derived object only where the base is at offset 0
// EXPECT: CheckBase<Both, Second>
#include <perfloc/perfloc.hpp>

struct First {
    int a;
};
struct Second {
    int b;
};
struct Both : First, Second {};
struct Owner {
    perfloc::Ref<Second> second;
};

void use(Owner& owner, Both* both) { owner.second = both; }
