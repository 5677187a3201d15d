// EXPECT: perfloc: an Array is an object of its own; hold it by perfloc::Ref<perfloc::Array<T>>, or use std::array
// EXPECT: Table
#include <perfloc/perfloc.hpp>

struct Table {
    int size;
    perfloc::Array<int> slots;
};

void use() {
    perfloc::make_with<Table>([]() -> Table { throw 1; });
}
