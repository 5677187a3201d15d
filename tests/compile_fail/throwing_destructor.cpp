// EXPECT: the destructor of a managed type must be noexcept
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
    ~Node() noexcept(false) {}
};
void f() { perfloc::make_raw<Node>(); }
