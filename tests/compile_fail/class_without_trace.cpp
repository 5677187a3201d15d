// EXPECT: perfloc: a managed class that is not an aggregate says what it refers to
// EXPECT: Account
#include <perfloc/perfloc.hpp>

class Account {
public:
    explicit Account(int balance) : balance_(balance) {}

private:
    int balance_;
};

void use() { perfloc::make<Account>(3); }
