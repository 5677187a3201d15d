// EXPECT: takes a derived object only where the base is at offset 0
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
void f(Derived* derived) { perfloc::Handle<B> handle(derived); }
