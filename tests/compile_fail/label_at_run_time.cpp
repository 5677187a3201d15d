// EXPECT: Label
#include <perfloc/perfloc.hpp>
void f(const char* text) { perfloc::Scope scope{perfloc::Label(text)}; }
