// EXPECT: hold it by perfloc::Ref<perfloc::Array<T>>
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    perfloc::Array<int> numbers;
};
void f() { perfloc::make_raw<Node>(); }
