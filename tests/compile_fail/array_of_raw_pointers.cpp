// EXPECT: a plain pointer to a managed type is not seen by the collector; use perfloc::Ref
#include <perfloc/perfloc.hpp>
struct Node {
    perfloc::Ref<Node> next;
};
void f() { perfloc::make_raw_array<Node*>(3); }
