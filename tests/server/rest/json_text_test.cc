#include "server/rest/json_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace inthub {
namespace {

TEST(JsonObject, WritesWhatAParserReadsBack) {
  std::string text;
  JsonObject(text)
      .text("quoted", "a\"b\\c\n\x01")
      .text_or_null("empty", "")
      .number("count", -5)
      .number_or_null("none", std::nullopt)
      .boolean("yes", true)
      .texts("map", std::map<std::string, std::string>{{"k\"", "v"}})
      .texts("list", std::vector<std::string>{"a", "b"})
      .raw("raw", "[1]")
      .end();
  EXPECT_EQ(
      nlohmann::json::parse(text),
      nlohmann::json::parse(
          R"({"quoted":"a\"b\\c\n\u0001","empty":null,"count":-5,"none":null,"yes":true,"map":{"k\"":"v"},"list":["a","b"],"raw":[1]})"));
}

TEST(JsonObject, WritesMillisecondsWithTheDecimalsThereAre) {
  const auto written = [](std::int64_t microseconds) {
    std::string text;
    JsonObject(text).milliseconds("ms", std::chrono::microseconds(microseconds)).end();
    return text;
  };
  EXPECT_EQ(written(0), R"({"ms":0})");
  EXPECT_EQ(written(52'000), R"({"ms":52})");
  EXPECT_EQ(written(1'204), R"({"ms":1.204})");
  EXPECT_EQ(written(10), R"({"ms":0.01})");
}

TEST(JsonObject, ReplacesBytesThatAreNotUtf8) {
  std::string text;
  append_any_text(text, "a\xFFz");
  EXPECT_EQ(text, "\"a\xEF\xBF\xBDz\"");
}

}  // namespace
}  // namespace inthub
