#include "authenticators/challenge.h"

#include <string>

#include <gtest/gtest.h>

namespace inthub {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

TEST(Challenge, BearerWithItsParameters) {
  const auto challenges =
      parse_challenges(R"(Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push")");
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 1U);
  EXPECT_EQ(challenges->front().scheme, "bearer");
  EXPECT_EQ(challenges->front().parameters,
            (Parameters{{"realm", "https://a/t"}, {"service", "s"}, {"scope", "repository:x/y:pull,push"}}));
}

TEST(Challenge, SchemeAndNamesHaveNoCase) {
  const auto challenges = parse_challenges("BaSiC ReAlM=x");
  ASSERT_TRUE(challenges);
  EXPECT_EQ(challenges->front().scheme, "basic");
  EXPECT_EQ(challenges->front().find("realm"), "x");
}

TEST(Challenge, SeveralParametersAreKept) {
  const auto challenges = parse_challenges(R"(Basic realm="Dev", charset="UTF-8")");
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 1U);
  EXPECT_EQ(challenges->front().parameters, (Parameters{{"realm", "Dev"}, {"charset", "UTF-8"}}));
}

TEST(Challenge, OneLineMayHoldSeveral) {
  auto challenges = parse_challenges(R"(Negotiate, Basic realm="r")");
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 2U);
  EXPECT_EQ((*challenges)[0].scheme, "negotiate");
  EXPECT_EQ((*challenges)[1].find("realm"), "r");
  challenges = parse_challenges(R"(Bearer a="b", Basic realm="x")");
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 2U);
  EXPECT_EQ((*challenges)[0].find("a"), "b");
  EXPECT_EQ((*challenges)[1].scheme, "basic");
}

TEST(Challenge, QuotedPairsAreUnescaped) {
  EXPECT_EQ(parse_challenges(R"(Bearer realm="he\"llo")")->front().find("realm"), "he\"llo");
}

TEST(Challenge, BlanksAroundTheEqualsSignAreAllowed) {
  EXPECT_EQ(parse_challenges("Basic realm = \"x\" , charset = UTF-8")->front().find("charset"), "UTF-8");
}

TEST(Challenge, Token68IsKept) {
  const auto challenges = parse_challenges("Negotiate YWJj==, Basic realm=x");
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 2U);
  EXPECT_EQ(challenges->front().token68, "YWJj==");
}

TEST(Challenge, MalformedOnesAreErrors) {
  for (const std::string& field : {std::string(R"(Basic realm="open)"), std::string(R"(Basic realm="a" charset="b")"),
                                   std::string("Basic realm=\"x\\"), std::string("=x"), std::string("Basic =x"),
                                   std::string("Bas\x01ic"), std::string(kMaxChallengeBytes + 1, 'a')}) {
    const auto challenges = parse_challenges(field);
    ASSERT_FALSE(challenges) << field.substr(0, 40);
    EXPECT_EQ(challenges.error().reason(), "authentication.bad_challenge");
  }
}

TEST(Challenge, CountsAreBounded) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxChallenges; ++i) many += "A" + std::to_string(i) + ",";
  EXPECT_FALSE(parse_challenges(many));
  std::string parameters = "Basic ";
  for (std::size_t i = 0; i <= kMaxChallengeParameters; ++i) parameters += "p" + std::to_string(i) + "=x,";
  EXPECT_FALSE(parse_challenges(parameters));
}

TEST(Challenge, NothingIsNoChallenge) {
  EXPECT_TRUE(parse_challenges("")->empty());
  EXPECT_TRUE(parse_challenges(" , ,")->empty());
  EXPECT_TRUE(parse_challenges(Headers{})->empty());
}

TEST(Challenge, ARepeatedHeaderIsReadInOrderAndAMalformedOneLeftOut) {
  Headers headers;
  headers.add("WWW-Authenticate", "Basic realm=\"open");
  headers.add("www-authenticate", "Bearer realm=\"https://a\"");
  headers.add("WWW-Authenticate", "Basic realm=\"r\"");
  const auto challenges = parse_challenges(headers);
  ASSERT_TRUE(challenges);
  ASSERT_EQ(challenges->size(), 2U);
  EXPECT_EQ((*challenges)[0].scheme, "bearer");
}

TEST(Challenge, OnlyMalformedOnesAreAnError) {
  Headers headers;
  headers.add("WWW-Authenticate", "Basic realm=\"open");
  EXPECT_FALSE(parse_challenges(headers));
}

}  // namespace
}  // namespace inthub
