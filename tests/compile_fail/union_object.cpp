// EXPECT: perfloc: a union cannot be a managed object
// EXPECT: Number
#include <perfloc/perfloc.hpp>

union Number {
    int whole;
    float real;
};

void use() { perfloc::make<Number>(); }
