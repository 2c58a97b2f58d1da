#include "cli/output.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/input.h"

namespace inthub {
namespace {

std::string uncoloured(const Table& table) {
  return table.text([](std::string_view text, Tone) { return std::string(text); });
}

TEST(PrintableText, ControlCharactersAreNotPassedToTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\x07\n\x7f"), "a?[31mb???");
  EXPECT_EQ(printable("a\nb", true), "a\nb");
  EXPECT_EQ(printable("grün ✓ 漢"), "grün ✓ 漢");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m");  // CSI as one C1 character
  EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
}

TEST(ATable, AlignsColumnsByCharactersAndEndsNoLineInBlanks) {
  Table table({"NAME", "STATE", "NOTE"});
  table.add({Cell("grün"), Cell("✓"), Cell("")});
  table.add({Cell("a"), Cell("unhealthy"), Cell("x")});
  EXPECT_EQ(uncoloured(table), "NAME  STATE      NOTE\ngrün  ✓\na     unhealthy  x\n");
}

TEST(ATable, ColoursDoNotShiftColumns) {
  Table table({"A", "B"});
  table.add({Cell("x", Tone::bad), Cell("y")});
  EXPECT_EQ(table.text([](std::string_view text, Tone tone) {
    return tone == Tone::bad ? "<" + std::string(text) + ">" : std::string(text);
  }),
            "A  B\n<x>  y\n");
}

TEST(Yaml, LooksAsPeopleWriteIt) {
  EXPECT_EQ(to_yaml(Json{{"name", "harbor"},
                         {"list", {"a", {{"b", 1}, {"c", {true, nullptr}}}}},
                         {"empty", Json::object()},
                         {"none", Json::array()}}),
            "empty: {}\nlist:\n  - a\n  - b: 1\n    c:\n      - true\n      - null\nname: harbor\nnone: []\n");
}

TEST(Yaml, ReadsBackAsTheSameValue) {
  const Json value{{"words", {"yes",  "No", "on", "null", "~", "true", "1",  "1.5", "-", "",  " a",  "a: b", "#x",
                              "a\nb", "\"", "'",  "ü",    "[", "&a",   "*a", "!t",  "%", "@", "1e3", ".inf"}},
                   {"numbers", {0, -1, 1.25, 9007199254740993}},
                   {"odd key: x", {{"nested", {Json::array({Json::array({1, 2}), Json::array()})}}}},
                   {"true", false},
                   {"pem", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"}};
  const auto read = parse_document(to_yaml(value));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, value);
}

}  // namespace
}  // namespace inthub
