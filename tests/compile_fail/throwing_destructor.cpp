// EXPECT: perfloc: the destructor of a managed type must be noexcept
// EXPECT: File
#include <perfloc/perfloc.hpp>

struct File {
    int descriptor;
    ~File() noexcept(false) {}
};

void use() { perfloc::make<File>(); }
