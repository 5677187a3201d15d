// EXPECT: takes a derived object only where the base is at offset 0
// EXPECT: CheckBase<
#include <perfloc/perfloc.hpp>
struct A {
    int a;
};
struct B {
    int b;
};
class Derived : public A, public B {
public:
    void trace(perfloc::Tracer&) const {}
};
void f(perfloc::Ref<B>& ref, Derived* derived) { ref = derived; }
