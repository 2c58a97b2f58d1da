#include "connectors/oci/paging.h"

#include <ostream>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "connectors/oci/image_reference.h"

namespace inthub::oci {
namespace {

const HttpUrl kEndpoint = HttpUrl::parse("https://r.example/prefix").value();

VendorResponse answer(int status, std::string body, std::string link = {},
                      std::string_view path = "/prefix/v2/app/tags/list") {
  VendorResponse response;
  response.status = status;
  response.body = std::move(body);
  response.url = HttpUrl::parse("https://r.example" + std::string(path)).value();
  if (!link.empty()) response.headers.add("Link", std::move(link));
  return response;
}
std::string tags(const std::vector<std::string>& names) {
  return fmt::format(R"({{"tags":["{}"]}})", fmt::join(names, R"(",")"));
}
std::vector<std::string> numbered(std::size_t from, std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = from; i < from + count; ++i) names.push_back(fmt::format("t{:06}", i));
  return names;
}
ListWalk walk_tags() {
  return {"/v2/app/tags/list", "tags", kEndpoint, &is_tag};
}

struct LinkCase {
  std::string name;
  std::string field;
  std::string want;  ///< empty: none
};
std::ostream& operator<<(std::ostream& out, const LinkCase& row) {
  return out << row.name;
}

class Link : public testing::TestWithParam<LinkCase> {};

TEST_P(Link, NamesTheNextPage) {
  Headers headers;
  headers.add("Link", GetParam().field);
  EXPECT_EQ(next_link(headers).value_or(""), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8288, Link,
    testing::Values(LinkCase{"Quoted", R"(</v2/_catalog?last=b>; rel="next")", "/v2/_catalog?last=b"},
                    LinkCase{"Unquoted", "</x>; rel=next", "/x"}, LinkCase{"NoBlanks", R"(</x>;rel="next")", "/x"},
                    LinkCase{"OtherCase", R"(</x>; REL="Next")", "/x"},
                    LinkCase{"SecondOfTwo", R"(</a>; rel="prev", </b>; rel="next")", "/b"},
                    LinkCase{"SeveralRelations", R"(</x>; rel="last next")", "/x"},
                    LinkCase{"OtherParametersFirst", R"(</x>; title="a, b; c"; rel="next")", "/x"},
                    LinkCase{"CommaInTarget", R"(</x?a=1,2>; rel="next")", "/x?a=1,2"},
                    LinkCase{"FirstRelCounts", R"(</x>; rel="prev"; rel="next")", ""}, LinkCase{"NoRel", "</x>", ""},
                    LinkCase{"Open", R"(</x; rel="next")", ""}, LinkCase{"OpenQuote", R"(</x>; rel="next)", "/x"},
                    LinkCase{"Nonsense", ";;;,,<", ""}),
    [](const auto& row) { return row.param.name; });

TEST(ListWalk, FollowsRelativeAndAbsoluteLinksOfItsOwnOrigin) {
  ListWalk walk = walk_tags();
  EXPECT_EQ(walk.target(), "/v2/app/tags/list?n=1000");
  ASSERT_TRUE(walk.take(answer(200, tags({"b"}), R"(</prefix/v2/app/tags/list?last=opaque%3D&n=1>; rel="next")")));
  EXPECT_EQ(walk.target(), "/v2/app/tags/list?last=opaque%3D&n=1");
  ASSERT_TRUE(walk.take(answer(200, tags({"a"}), R"(<https://r.example/v2/app/tags/list?last=x>; rel="next")")));
  EXPECT_EQ(walk.target(), "/v2/app/tags/list?last=x") << "a dropped prefix does not matter";
  ASSERT_TRUE(walk.take(answer(200, tags({"c"}))));
  ASSERT_TRUE(walk.is_done());
  const NameList list = std::move(walk).finish();
  EXPECT_EQ(list.names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_FALSE(list.truncated);
  EXPECT_TRUE(list.warnings.empty());
}

TEST(ListWalk, ALinkToAnotherOriginOrListIsNotFollowed) {
  for (const std::string link : {R"(<https://evil.example/v2/app/tags/list?last=x>; rel="next")",
                                 R"(<http://r.example/v2/app/tags/list?last=x>; rel="next")",
                                 R"(<https://r.example:8443/v2/app/tags/list?last=x>; rel="next")",
                                 R"(<//evil.example/v2/app/tags/list?last=x>; rel="next")",
                                 R"(<https://r.example/v2/app/manifests/latest>; rel="next")"}) {
    ListWalk walk = walk_tags();
    ASSERT_TRUE(walk.take(answer(200, tags({"a"}), link)));
    ASSERT_TRUE(walk.is_done()) << link;
    const NameList list = std::move(walk).finish();
    EXPECT_TRUE(list.truncated);
    ASSERT_EQ(list.warnings.size(), 1U);
    EXPECT_EQ(list.warnings[0].find("evil"), std::string::npos);
  }
}

TEST(ListWalk, EndsWhereLinksGoInCircles) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags({"a"}), R"(</v2/app/tags/list?p=2>; rel="next")")));
  ASSERT_TRUE(walk.take(answer(200, tags({"b"}), R"(</v2/app/tags/list?p=2>; rel="next")")));
  ASSERT_TRUE(walk.is_done());
  EXPECT_TRUE(std::move(walk).finish().truncated);
}

TEST(ListWalk, EndsWhereEverNewLinksBringNothingNew) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags({"a"}), R"(</v2/app/tags/list?p=2>; rel="next")")));
  ASSERT_TRUE(walk.take(answer(200, tags({"a"}), R"(</v2/app/tags/list?p=3>; rel="next")")));
  EXPECT_TRUE(walk.is_done());
}

TEST(ListWalk, AFullListWithoutLinkIsCompleteWhenTheServerIgnoresTheSize) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kPageSize + 1)))));
  ASSERT_TRUE(walk.is_done());
  const NameList list = std::move(walk).finish();
  EXPECT_EQ(list.names.size(), kPageSize + 1);
  EXPECT_FALSE(list.truncated);
}

TEST(ListWalk, AFullPageWithoutLinkIsContinuedAfterItsLastName) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kPageSize)))));
  EXPECT_EQ(walk.target(), "/v2/app/tags/list?n=1000&last=t000999");
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(kPageSize, 5)))));
  ASSERT_TRUE(walk.is_done());
  const NameList list = std::move(walk).finish();
  EXPECT_EQ(list.names.size(), kPageSize + 5);
  EXPECT_FALSE(list.truncated);
}

TEST(ListWalk, AServerThatIgnoresLastIsAskedOnceMoreOnly) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kPageSize)))));
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kPageSize)))));
  ASSERT_TRUE(walk.is_done());
  EXPECT_FALSE(std::move(walk).finish().truncated);
}

TEST(ListWalk, ARefusedContinuationLeavesWhatIsThere) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kPageSize)))));
  ASSERT_TRUE(walk.take(answer(405, R"({"errors":[{"code":"UNSUPPORTED","message":"Invalid next token"}]})")));
  ASSERT_TRUE(walk.is_done());
  EXPECT_TRUE(std::move(walk).finish().truncated);
}

TEST(ListWalk, ARefusedSizeIsLeftOut) {
  for (const int status : {400, 405}) {
    ListWalk walk = walk_tags();
    ASSERT_TRUE(walk.take(answer(status, R"({"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]})")));
    EXPECT_EQ(walk.target(), "/v2/app/tags/list");
    ASSERT_TRUE(walk.take(answer(200, tags({"a"}))));
    EXPECT_TRUE(walk.is_done());
  }
}

TEST(ListWalk, ASecondRefusalIsAnError) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(400, "")));
  const auto taken = walk.take(answer(400, R"({"errors":[{"code":"UNSUPPORTED","message":"no"}]})"));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::vendor_failure);
  EXPECT_NE(taken.error().message().find("UNSUPPORTED: no"), std::string::npos);
}

TEST(ListWalk, NullIsAnEmptyList) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, R"({"name":"app","tags":null})")));
  ASSERT_TRUE(walk.is_done());
  EXPECT_TRUE(std::move(walk).finish().names.empty());
}

TEST(ListWalk, NullsDigestsAndInvalidTagsAreLeftOutWithAWarning) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, R"({"tags":["v1",null,"","sha256:abc",7,"v2","v1"]})")));
  const NameList list = std::move(walk).finish();
  EXPECT_EQ(list.names, (std::vector<std::string>{"v1", "v2"}));
  ASSERT_EQ(list.warnings.size(), 1U);
  EXPECT_NE(list.warnings[0].find("4 entries"), std::string::npos);
}

TEST(ListWalk, AnswersThatAreNoListAreErrors) {
  for (const std::string body : {R"({"tags":["a")", "[]", "{}", R"({"tags":"a"})", "<html></html>", ""}) {
    ListWalk walk = walk_tags();
    const auto taken = walk.take(answer(200, body));
    ASSERT_FALSE(taken) << body;
    EXPECT_EQ(taken.error().reason(), "registry.malformed_answer");
  }
}

TEST(ListWalk, IsCutAtTheBoundOfNames) {
  ListWalk walk = walk_tags();
  ASSERT_TRUE(walk.take(answer(200, tags(numbered(0, kMaxItems + 1)))));
  ASSERT_TRUE(walk.is_done());
  const NameList list = std::move(walk).finish();
  EXPECT_EQ(list.names.size(), kMaxItems);
  EXPECT_TRUE(list.truncated);
}

TEST(ListWalk, IsCutAtTheBoundOfPages) {
  ListWalk walk = walk_tags();
  std::size_t pages = 0;
  while (!walk.is_done()) {
    ++pages;
    ASSERT_LE(pages, kMaxPages);
    ASSERT_TRUE(walk.take(
        answer(200, tags({fmt::format("t{}", pages)}), fmt::format(R"(</v2/app/tags/list?p={}>; rel="next")", pages))));
  }
  EXPECT_EQ(pages, kMaxPages);
  EXPECT_TRUE(std::move(walk).finish().truncated);
}

}  // namespace
}  // namespace inthub::oci
