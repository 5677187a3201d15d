// EXPECT: perfloc: a Ref or handle to a base class takes a derived object only where the base is at offset 0
// EXPECT: CheckBase<Both, Second>
#include <perfloc/perfloc.hpp>

struct First {
    virtual ~First() = default;
};
struct Second {
    virtual ~Second() = default;
};
struct Both : First, Second {};

perfloc::Handle<Second> use(const perfloc::Handle<Both>& both) { return both; }
