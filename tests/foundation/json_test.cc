#include "foundation/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace inthub {
namespace {

TEST(ParseJson, AcceptsEveryKindOfValue) {
  const auto value = parse_json(R"( {"a":[1,-2.5e3,"x",true,false,null],"b":{}} )");
  ASSERT_TRUE(value);
  EXPECT_EQ(to_text(*value), R"({"a":[1,-2500.0,"x",true,false,null],"b":{}})");
  EXPECT_TRUE(parse_json("7"));
  EXPECT_TRUE(parse_json(R"("\u00e9\ud83d\ude00")"));
}

struct BadJson {
  std::string name;
  std::string text;
  std::string reason;
};
class RefusedJson : public testing::TestWithParam<BadJson> {};

TEST_P(RefusedJson, IsInvalidWithAReasonAndWithoutAnEcho) {
  const auto value = parse_json(GetParam().text);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(value.error().reason(), GetParam().reason);
  EXPECT_EQ(value.error().message().find("canary"), std::string::npos) << value.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Rules, RefusedJson,
    testing::Values(BadJson{"Empty", "", "json.malformed"}, BadJson{"Blank", "  ", "json.malformed"},
                    BadJson{"Unfinished", R"({"canary":)", "json.malformed"},
                    BadJson{"TrailingComma", R"(["canary",])", "json.malformed"},
                    BadJson{"TrailingBytes", R"({} canary)", "json.malformed"},
                    BadJson{"SingleQuotes", R"({'canary':1})", "json.malformed"},
                    BadJson{"Comment", "{} // canary", "json.malformed"},
                    BadJson{"NotANumber", "[NaN]", "json.malformed"}, BadJson{"LeadingZero", "[01]", "json.malformed"},
                    BadJson{"ControlCharacterInString", "[\"canary\n\"]", "json.malformed"},
                    BadJson{"LoneSurrogate", R"(["canary\ud800"])", "json.malformed"},
                    BadJson{"InvalidUtf8", "[\"canary\xC3\x28\"]", "json.malformed"},
                    BadJson{"OverlongUtf8", "[\"\xC0\xAF\"]", "json.malformed"},
                    BadJson{"ByteOrderMarkInside", "[\xEF\xBB\xBF]", "json.malformed"},
                    BadJson{"NumberBeyondDouble", "[1e999]", "json.malformed"},
                    BadJson{"DuplicateKey", R"({"k":1,"k":2})", "json.duplicate_key"},
                    BadJson{"DuplicateKeyBelow", R"({"a":[{"k":1,"j":{"k":3},"k":2}]})", "json.duplicate_key"},
                    BadJson{"DuplicateKeySpelledDifferently", R"({"a":1,"\u0061":2})", "json.duplicate_key"},
                    BadJson{"DeepLists", std::string(300, '[') + std::string(300, ']'), "json.too_deep"},
                    BadJson{"Bomb", std::string(500'000, '['), "json.too_deep"}),
    [](const auto& test) { return test.param.name; });

TEST(ParseJson, SixtyFourLevelsAreTheLimitByDefault) {
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')));
  EXPECT_TRUE(parse_json("[\"" + std::string(100, '[') + "\\\"[\"]")) << "brackets in strings do not count";
}

TEST(ParseJson, TheSameKeyInDifferentObjectsIsFine) {
  EXPECT_TRUE(parse_json(R"({"a":{"k":1},"b":{"k":2},"c":[{"k":3},{"k":4}],"k":5})"));
}

TEST(ParseJson, SaysWhereTheTextIsWrong) {
  const auto value = parse_json("{\n  \"a\": 1,\n  \"b\": x\n}");
  ASSERT_FALSE(value);
  EXPECT_NE(value.error().message().find("line 3, column 8"), std::string::npos) << value.error().message();
}

TEST(ParseJson, ALargeTextIsRefusedBeforeItIsRead) {
  const auto value = parse_json("[1,2,3]", {.max_bytes = 6});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), ErrorCode::payload_too_large);
  EXPECT_TRUE(parse_json("[1,2,3]", {.max_bytes = 7}));
}

TEST(ParseJson, WholeNumbersKeepEveryDigitUpTo64Bits) {
  const auto value = parse_json("[18446744073709551615,-9223372036854775808,18446744073709551616]");
  ASSERT_TRUE(value);
  EXPECT_EQ((*value)[0].get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ((*value)[1].get<std::int64_t>(), INT64_MIN);
  EXPECT_TRUE((*value)[2].is_number_float()) << "beyond 64 bits it becomes the nearest double";
}

TEST(ToText, SortsKeysAndNeverThrows) {
  Json value = {{"b", 1}, {"a", 2}};
  EXPECT_EQ(to_text(value), R"({"a":2,"b":1})");
  value["c"] = "\xFF";
  EXPECT_EQ(to_text(value), "{\"a\":2,\"b\":1,\"c\":\"\xEF\xBF\xBD\"}");
  EXPECT_EQ(to_pretty_text(Json{{"a", 1}}), "{\n  \"a\": 1\n}");
}

TEST(PointerToken, EscapesTildeAndSlash) {
  EXPECT_EQ(pointer_token("a/b~c"), "a~1b~0c");
  EXPECT_EQ(pointer_token(""), "");
}

TEST(AppendJsonString, GivesTextThatReadsBackTheSame) {
  for (const std::string& text : {std::string("plain"), std::string("q\"b\\s/\b\f\n\r\t\x01\x1f", 12),
                                  std::string("é😀"), std::string("a\0b", 3), std::string("\x7f")}) {
    std::string out = "before";
    append_json_string(out, text);
    const auto back = parse_json(std::string_view(out).substr(6));
    ASSERT_TRUE(back) << out;
    EXPECT_EQ(back->get<std::string>(), text);
  }
}

TEST(IsUtf8, KnowsTheEdgesOfRfc3629) {
  for (const char* good : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE0\xA0",
                          "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80", "\xF4\x90\x80\x80",
                          "\xF8\x88\x80\x80\x80", "\xFF", "a\xC2"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

}  // namespace
}  // namespace inthub
