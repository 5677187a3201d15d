// EXPECT: the destructor of a managed type must be noexcept
#include <perfloc/perfloc.hpp>
struct Element {
    int number;
    ~Element() noexcept(false) {}
};
void f() { perfloc::make_raw_array<Element>(3); }
