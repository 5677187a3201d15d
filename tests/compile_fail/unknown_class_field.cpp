// EXPECT: perfloc: a field of this class might hide references
// EXPECT: perfloc::holds_no_refs<Field>
// EXPECT: Counter
#include <perfloc/perfloc.hpp>

class Counter {
public:
    void add() { ++count_; }

private:
    int count_ = 0;
};
struct Node {
    perfloc::Ref<Node> next;
    Counter counter;
};

void use() { perfloc::make<Node>(); }
