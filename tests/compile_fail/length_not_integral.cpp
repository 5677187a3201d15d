// EXPECT: is_integral
#include <perfloc/perfloc.hpp>
void f() { perfloc::make_raw_array<int>(3.5); }
