#include "foundation/headers.h"

#include <gtest/gtest.h>

namespace inthub {
namespace {

TEST(Headers, NamesAreComparedWithoutCaseAndOrderIsKept) {
  Headers headers;
  headers.add("Set-Cookie", "a=1");
  headers.add("ETag", "\"x\"");
  headers.add("set-cookie", "b=2");
  EXPECT_EQ(headers.find("SET-COOKIE"), "a=1");
  EXPECT_EQ(headers.find_all("set-cookie"), (std::vector<std::string_view>{"a=1", "b=2"}));
  EXPECT_FALSE(headers.find("Set-Cooki"));
  EXPECT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers.begin()->first, "Set-Cookie");
}

TEST(Headers, SetReplacesEveryFieldOfThatName) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("accept", "b");
  headers.set("ACCEPT", "c");
  EXPECT_EQ(headers.find_all("accept"), (std::vector<std::string_view>{"c"}));
  headers.remove("accept");
  EXPECT_EQ(headers.size(), 0U);
}

TEST(EqualsIgnoreCase, IsAboutAsciiOnly) {
  EXPECT_TRUE(equals_ignore_case("aZ-09", "Az-09"));
  EXPECT_FALSE(equals_ignore_case("a", "ab"));
  EXPECT_FALSE(equals_ignore_case("[", "{")) << "32 apart, but no letters";
  EXPECT_FALSE(equals_ignore_case("\xC3\x84", "\xC3\xA4"));
  EXPECT_EQ(to_lower("AbC-\xC3\x84"), "abc-\xC3\x84");
}

}  // namespace
}  // namespace inthub
