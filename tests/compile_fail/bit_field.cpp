// The error is the compiler's; the name of the template beside it says what to do.
// EXPECT: UseStdArrayOrGiveTrace_BitFieldsBasesAndCArraysCannotBeReflected
// EXPECT: Flags
#include <perfloc/perfloc.hpp>

struct Flags {
    perfloc::Ref<Flags> next;
    unsigned marked : 1;
    unsigned count : 31;
};

void use() { perfloc::make<Flags>(); }
