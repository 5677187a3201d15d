// EXPECT: void trace(perfloc::Tracer&) const, or declare perfloc::holds_no_refs<T>
#include <perfloc/perfloc.hpp>
class Session {
public:
    explicit Session(int n) : number_(n) {}

private:
    int number_;
};
void f() { perfloc::make_raw<Session>(1); }
