// EXPECT: perfloc: a managed object holds a plain pointer to a managed type
// EXPECT: Owner
#include <perfloc/perfloc.hpp>

struct Leaf {
    int key;
};
template <>
inline constexpr bool perfloc::managed<Leaf> = true;

struct Owner {
    const Leaf* leaf;
};

void use() { perfloc::make<Owner>(); }
