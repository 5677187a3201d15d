// EXPECT: make<T> takes an object type without const
#include <perfloc/perfloc.hpp>
struct Number {
    int value;
};
void f() { perfloc::make_raw<const Number>(1); }
