#include "support/catch.hpp"

#include "runtime/stress.hpp"

#include <perfloc/errors.hpp>

using namespace perfloc;
using namespace perfloc::detail;

TEST_CASE("stress modes are parsed from their names, in any order") {
    const Stress none = Stress::parse("");
    CHECK_FALSE(none.any());
    const Stress all = Stress::parse("poison,verify,move");
    CHECK(all.verify);
    CHECK(all.move);
    CHECK(all.poison);
    const Stress one = Stress::parse("verify");
    CHECK(one.verify);
    CHECK_FALSE(one.move);
    CHECK_FALSE(one.poison);
    CHECK(one.any());
    CHECK(Stress::parse(",move,").move);
}

TEST_CASE("moving and poisoning quarantine what is released, verifying does not") {
    CHECK(Stress::parse("move").quarantine());
    CHECK(Stress::parse("poison").quarantine());
    CHECK(Stress::parse("verify").quarantine() == kAsan);
}

TEST_CASE("a stress mode that is not known is named in the error") {
    CHECK_THROWS_AS(Stress::parse("verify,mvoe"), OptionError);
    try {
        Stress::parse("verify,mvoe,poison");
        FAIL("no error");
    } catch (const OptionError& error) {
        CHECK(std::string(error.what()).find("\"mvoe\"") != std::string::npos);
        CHECK(std::string(error.what()).find("PERFLOC_STRESS") != std::string::npos);
    }
}
