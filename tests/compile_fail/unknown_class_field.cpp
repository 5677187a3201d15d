// EXPECT: declare the class free of references with perfloc::holds_no_refs<Field>
#include <perfloc/perfloc.hpp>
class Unknown {
public:
    int get() const { return number_; }

private:
    int number_ = 0;
};
struct Node {
    perfloc::Ref<Node> next;
    Unknown unknown;
};
void f() { perfloc::make_raw<Node>(); }
