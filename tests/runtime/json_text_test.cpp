#include "support/catch.hpp"

#include "runtime/json_text.hpp"

#include <nlohmann/json.hpp>

#include <string>

using perfloc::detail::append_json;

namespace {

std::string written(std::string_view text) {
    std::string json;
    append_json(json, text);
    return json;
}

}  // namespace

TEST_CASE("text comes back from JSON as it was") {
    std::string bytes;
    for (int c = 0; c < 128; ++c) bytes += static_cast<char>(c);
    for (const std::string& text :
         {std::string(), std::string("request"), bytes, std::string("\xc3\xbc \xe2\x82\xac \xf0\x9f\x8c\xb2")}) {
        CHECK(nlohmann::json::parse(written(text)).get<std::string>() == text);
    }
}

TEST_CASE("bytes that are no UTF-8 are replaced, one by one") {
    CHECK(written("a\xff!") == "\"a\\ufffd!\"");
    CHECK(written("\xe2\x82") == "\"\\ufffd\\ufffd\"");             // cut off
    CHECK(written("\xc0\xaf") == "\"\\ufffd\\ufffd\"");             // longer than it need be
    CHECK(written("\xed\xa0\x80") == "\"\\ufffd\\ufffd\\ufffd\"");  // a surrogate
    CHECK(written("\xf4\x90\x80\x80").find("\\ufffd") == 1);        // beyond the last code point
}
