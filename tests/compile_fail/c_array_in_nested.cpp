// EXPECT: perfloc: the fields of an aggregate with a C array cannot be reflected; use std::array, or give trace()
// EXPECT: Name
#include <perfloc/perfloc.hpp>

struct Name {
    char text[16];
};
struct Person {
    perfloc::Ref<Person> parent;
    Name name;
};

void use() { perfloc::make<Person>(); }
