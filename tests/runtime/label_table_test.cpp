#include "support/catch.hpp"

#include "runtime/label_table.hpp"

#include <algorithm>
#include <string>

using namespace perfloc;
using namespace perfloc::detail;

namespace {

Label here(std::source_location where = std::source_location::current()) { return where; }

const LabelStats* find(const std::vector<LabelStats>& all, const std::string& name) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const LabelStats& stats) { return stats.name == name; });
    return at != all.end() ? &*at : nullptr;
}

}  // namespace

TEST_CASE("a label is its text, and an unnamed scope's the file and line where it opens") {
    CHECK(LabelTable::name("request") == "request");
    const Label place = here();
    CHECK(LabelTable::name(place) == "label_table_test.cpp:" + std::to_string(place.line()));
    CHECK(LabelTable::name(Label::intern("interned")) == "interned");
}

TEST_CASE("the same label has the same counters, another label others") {
    LabelTable table;
    LabelCounters& a = table.find("a");
    LabelCounters& b = table.find("b");
    CHECK(&a != &b);
    for (int i = 0; i < 3; ++i) {
        CHECK(&table.find("a") == &a);
        CHECK(&table.find("b") == &b);
    }
}

TEST_CASE("counters stay where they are when more labels come") {
    LabelTable table;
    LabelCounters& first = table.find("first");
    first.fast_ended = 7;
    for (int i = 0; i < 3000; ++i) table.find(Label::intern("label " + std::to_string(i)));
    CHECK(&table.find("first") == &first);
    CHECK(first.fast_ended == 7);
}

TEST_CASE("an interned text is one label however often it is interned") {
    const std::string text = "made at run time";
    const Label a = Label::intern(text);
    const Label b = Label::intern(std::string(text));
    CHECK(a == b);
    CHECK_FALSE(a == Label::intern("another"));
}

TEST_CASE("labels beyond the table's size are counted together") {
    LabelTable table;
    for (int i = 0; i < 5000; ++i) table.find(Label::intern("many " + std::to_string(i))).fast_ended += 1;
    const std::vector<LabelStats> all = table.report();
    CHECK(all.size() == 4096);
    const LabelStats* const other = find(all, "(other labels)");
    REQUIRE(other != nullptr);
    CHECK(other->ended == 5000 - 4095);
    CHECK(table.fast_ended() == 5000);
}

TEST_CASE("a report adds up what labels of the same text have done, the largest first") {
    LabelTable table;
    LabelCounters& one = table.find("same");
    LabelCounters& two = table.find(Label::intern("same"));  // another address
    REQUIRE(&one != &two);
    one.fast_ended = 1, one.fast_bytes = 100;
    two.slow_ended = 2, two.slow_bytes = 1000, two.slow_released_bytes = 500, two.promoted_bytes = 300;
    two.promoted_objects = 3, two.kept = 1;
    table.find("larger").fast_bytes = 5000;
    const std::vector<LabelStats> all = table.report();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "larger");
    CHECK(all[1].name == "same");
    CHECK(all[1].ended == 3);
    CHECK(all[1].allocated_bytes == 1100);
    CHECK(all[1].released_bytes == 600);
    CHECK(all[1].promoted_bytes == 300);
    CHECK(all[1].promoted_objects == 3);
    CHECK(all[1].kept == 1);
}

TEST_CASE("a label is too narrow where more than a twentieth escapes and none was kept on purpose") {
    LabelStats stats;
    CHECK(stats.escape_ratio() == 0.0);
    CHECK_FALSE(stats.too_narrow());
    stats.allocated_bytes = 1000;
    stats.promoted_bytes = 50;
    CHECK_FALSE(stats.too_narrow());
    stats.promoted_bytes = 51;
    CHECK(stats.escape_ratio() == Approx(0.051));
    CHECK(stats.too_narrow());
    stats.kept = 1;
    CHECK_FALSE(stats.too_narrow());
}
