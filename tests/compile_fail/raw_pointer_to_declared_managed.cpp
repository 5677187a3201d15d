// EXPECT: make the field a perfloc::Ref
#include <perfloc/perfloc.hpp>
struct Number {
    int value;
};
template <>
inline constexpr bool perfloc::managed<Number> = true;
struct Holder {
    Number* number;
};
void f() { perfloc::make_raw<Holder>(); }
