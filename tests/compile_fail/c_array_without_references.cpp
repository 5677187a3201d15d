// EXPECT: use std::array, or give
#include <perfloc/perfloc.hpp>
struct Name {
    char text[16];
};
void f() { perfloc::make_raw<Name>(); }
