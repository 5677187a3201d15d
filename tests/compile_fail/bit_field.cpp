// EXPECT: UseStdArrayOrGiveTrace_BitFieldsBasesAndCArraysCannotBeReflected
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    unsigned small : 3;
    unsigned other : 5;
};
void f() { perfloc::make_raw<Node>(); }
