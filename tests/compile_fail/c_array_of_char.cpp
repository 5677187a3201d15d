// EXPECT: perfloc: the fields of an aggregate with a C array cannot be reflected; use std::array, or give trace()
// EXPECT: Word
#include <perfloc/perfloc.hpp>

struct Word {
    perfloc::Ref<Word> next;
    char text[16];
};

void use() { perfloc::make<Word>(); }
