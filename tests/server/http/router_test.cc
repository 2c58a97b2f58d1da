#include "server/http/router.h"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inthub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Route route(std::string method, std::string path) {
  return {.method = std::move(method),
          .path = std::move(path),
          .needs = std::nullopt,
          .handler = [](ServerRequest&) -> Task<ServerResponse> { co_return ServerResponse{}; }};
}

Router hub_routes() {
  Router router;
  for (const char* path :
       {"/", "/healthz", "/api/v1/integrations", "/api/v1/integrations:test", "/api/v1/integrations/{id}",
        "/api/v1/integrations/archived", "/api/v1/integrations/{id}/tags/{tag}", "/api/v1/integrations/archived/count",
        "/api/v1/plugins/{name}:verify", "/api/v1/plugins/{name}", "/api/v1/{collection}"}) {
    router.add(route("GET", path));
  }
  router.add(route("POST", "/api/v1/integrations"));
  router.add(route("PUT", "/api/v1/integrations/{id}"));
  router.add(route("DELETE", "/api/v1/integrations/{id}"));
  return router;
}

struct Found {
  std::string name;
  std::string path;
  std::string route;  ///< "" for none
  std::vector<std::string> parameters;
};

class RouterMatch : public testing::TestWithParam<Found> {};

TEST_P(RouterMatch, FindsTheRouteAndItsParameters) {
  const Router router = hub_routes();
  const Router::Match match = router.match("GET", GetParam().path);
  EXPECT_EQ(match.route ? match.route->path : "", GetParam().route);
  EXPECT_EQ(match.parameters, GetParam().parameters);
  EXPECT_FALSE(match.bad_escape);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, RouterMatch,
    testing::Values(
        Found{"Root", "/", "/", {}}, Found{"Literal", "/healthz", "/healthz", {}},
        Found{"Placeholder", "/api/v1/integrations/42", "/api/v1/integrations/{id}", {"42"}},
        Found{"TwoPlaceholders", "/api/v1/integrations/a/tags/b", "/api/v1/integrations/{id}/tags/{tag}", {"a", "b"}},
        Found{"LiteralBeforePlaceholder", "/api/v1/integrations/archived", "/api/v1/integrations/archived", {}},
        Found{"BackToThePlaceholderWhereTheLiteralBranchEnds",
              "/api/v1/integrations/archived/tags/x",
              "/api/v1/integrations/{id}/tags/{tag}",
              {"archived", "x"}},
        Found{"CustomVerbBeforePlaceholder", "/api/v1/integrations:test", "/api/v1/integrations:test", {}},
        Found{"UnknownVerbIsAnOrdinaryName",
              "/api/v1/integrations:other",
              "/api/v1/{collection}",
              {"integrations:other"}},
        Found{"VerbBehindAPlaceholder", "/api/v1/plugins/a:b:verify", "/api/v1/plugins/{name}:verify", {"a:b"}},
        Found{"ColonInsideAName", "/api/v1/plugins/a:b", "/api/v1/plugins/{name}", {"a:b"}},
        Found{"EscapesAreDecoded",
              "/api/v1/integrations/a%2Fb%20c%c3%a9",
              "/api/v1/integrations/{id}",
              {"a/b c\xC3\xA9"}},
        Found{"PlusIsNotABlankInAPath", "/api/v1/integrations/a+b", "/api/v1/integrations/{id}", {"a+b"}},
        Found{"EscapedLiteral", "/health%7A", "/healthz", {}},
        Found{"EscapedSlashDoesNotSplit", "/api%2Fv1/integrations", "", {}},
        Found{"EmptySegmentIsNoValue", "/api/v1/integrations/", "", {}},
        Found{"DotSegmentsAreNames", "/api/v1/integrations/..", "/api/v1/integrations/{id}", {".."}},
        Found{"CaseMatters", "/Healthz", "", {}}, Found{"Deeper", "/healthz/x", "", {}}, Found{"NoPath", "*", "", {}}),
    [](const auto& test) { return test.param.name; });

TEST(Router, HeadMatchesGet) {
  const Router router = hub_routes();
  const Router::Match match = router.match("HEAD", "/healthz");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->path, "/healthz");
}

TEST(Router, OtherMethodsOfThePathAreListed) {
  const Router router = hub_routes();
  const Router::Match match = router.match("PATCH", "/api/v1/integrations/42");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "DELETE, GET, HEAD, PUT");
  EXPECT_THAT(match.parameters, IsEmpty());
}

TEST(Router, ALiteralWithoutTheMethodLeavesItToThePlaceholder) {
  const Router router = hub_routes();
  const Router::Match match = router.match("PUT", "/api/v1/integrations/archived");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->path, "/api/v1/integrations/{id}");
  EXPECT_THAT(match.parameters, ElementsAre("archived"));
}

TEST(Router, AnUnknownPathAllowsNothing) {
  const Router router = hub_routes();
  EXPECT_EQ(router.match("GET", "/nowhere").allow, "");
}

TEST(Router, BadEscapesAreReported) {
  const Router router = hub_routes();
  for (const char* id : {"%", "%2", "%zz", "a%", "%00", "%0a", "%7f", "%ff", "%c3"}) {
    const Router::Match match = router.match("GET", std::string("/api/v1/integrations/") + id);
    EXPECT_EQ(match.route, nullptr) << id;
    EXPECT_TRUE(match.bad_escape) << id;
  }
}

TEST(Router, RepeatedAndMalformedRoutesAreBugs) {
  Router router = hub_routes();
  EXPECT_THROW(router.add(route("GET", "/healthz")), std::logic_error);
  EXPECT_THROW(router.add(route("GET", "/api/v1/integrations/{other_name}")), std::logic_error);
  EXPECT_THROW(router.add(route("GET", "healthz")), std::logic_error);
  EXPECT_THROW(router.add(route("", "/x")), std::logic_error);
  EXPECT_THROW(router.add(route("GET", "/x{id}")), std::logic_error);
  EXPECT_THROW(router.add(Route{.method = "GET", .path = "/x", .needs = {}, .handler = {}}), std::logic_error);
}

TEST(Router, RoutesAreNumberedInTheOrderTheyWereAdded) {
  const Router router = hub_routes();
  const auto routes = router.routes();
  ASSERT_EQ(routes.size(), 14U);
  for (std::size_t i = 0; i < routes.size(); ++i) EXPECT_EQ(routes[i]->number, i);
}

}  // namespace
}  // namespace inthub
