// EXPECT: a union cannot be a managed object
#include <perfloc/perfloc.hpp>
union Either {
    int number;
    float real;
};
void f() { perfloc::make_raw<Either>(); }
