#include <atomic>

#include "server/rest/rest_world.h"

namespace inthub::rest_test {
namespace {

class Operations : public testing::Test {
 protected:
  HttpAnswer resolve(const Json& body, std::string_view query = {}) {
    return world_.send("POST", RestWorld::path(id_, "/resolve") + std::string(query), body.dump(), {}, "use");
  }
  RestWorld world_;
  std::string id_ = world_.create("Vendor");
};

TEST_F(Operations, TestTellsItsStepsInMilliseconds) {
  const HttpAnswer answer = world_.send("POST", RestWorld::path(id_, "/test"), {}, {}, "use");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json test = world_.data(answer);
  EXPECT_EQ(test.at("success"), true);
  EXPECT_TRUE(test.at("errorMessage").is_null());
  EXPECT_EQ(test.at("latencyMs"), 12);
  EXPECT_EQ(test.at("steps")[0].at("durationMs"), 1.234);
  EXPECT_EQ(test.at("cached"), false);
}

TEST_F(Operations, FailedTestIsASuccessfulAnswer) {
  world_.script->test = [] {
    ConnectionTest test;
    test.steps.push_back({.name = "tls",
                          .status = StepStatus::fail,
                          .code = "tls.expired",
                          .message = "the certificate expired",
                          .duration = std::chrono::microseconds(900),
                          .field = "/caBundle",
                          .remedy = "renew it"});
    conclude(test);
    return Result<ConnectionTest>(std::move(test));
  };
  const HttpAnswer answer = world_.send("POST", RestWorld::path(id_, "/test"));
  EXPECT_EQ(answer.status, 200);
  const Json test = world_.data(answer);
  EXPECT_EQ(test.at("success"), false);
  EXPECT_NE(test.at("errorMessage").get<std::string>().find("expired"), std::string::npos);
  EXPECT_EQ(test.at("steps")[0].at("remedy"), "renew it");
}

TEST_F(Operations, HealthMayBeReadByReaders) {
  const HttpAnswer answer = world_.send("GET", RestWorld::path(id_, "/health"), {}, {}, "read");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(world_.data(answer).at("status"), "healthy");
  EXPECT_TRUE(world_.data(answer).at("remedy").is_null());
}

TEST_F(Operations, CheckedHealthShowsInTheIntegration) {
  world_.send("GET", RestWorld::path(id_, "/health?fresh=true"));
  const Json integration = world_.data(world_.send("GET", RestWorld::path(id_)));
  EXPECT_EQ(integration.at("healthStatus"), "healthy");
  EXPECT_EQ(integration.at("health").at("code"), "ok");
}

TEST_F(Operations, ResourcesArePaged) {
  const HttpAnswer answer = world_.send(
      "GET", RestWorld::path(id_, "/resources?type=tags&parent=team%2Fapp&page=2&pageSize=2"), {}, {}, "use");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world_.data(answer).at("resources").size(), 1U);
  EXPECT_EQ(world_.data(answer).at("resources")[0].at("id"), "team/app:v3");
  EXPECT_EQ(world_.json(answer).at("meta").at("pagination").at("totalPages"), 2);
}

TEST_F(Operations, ResourcesWithoutATypeSayWhichTypesThereAre) {
  const HttpAnswer answer = world_.send("GET", RestWorld::path(id_, "/resources?pageSize=0"));
  EXPECT_EQ(answer.status, 422);
  const Json violations = world_.error(answer).at("validationErrors");
  ASSERT_EQ(violations.size(), 2U) << "both are reported at once";
  EXPECT_EQ(violations[0].at("field"), "pageSize");
  EXPECT_EQ(violations[1].at("field"), "type");
  EXPECT_NE(violations[1].at("message").get<std::string>().find("repos, tags"), std::string::npos);
}

TEST_F(Operations, SecondResolutionComesFromTheCacheUnlessFresh) {
  std::atomic<int> calls{0};
  const auto original = world_.script->resolve;
  world_.script->resolve = [&](const ResolveRequest& request) {
    ++calls;
    return original(request);
  };
  const Json question{{"imageRef", "team/app:v1"}};
  EXPECT_EQ(world_.data(resolve(question)).at("cached"), false);
  world_.clock.advance(std::chrono::seconds(40));
  const Json second = world_.data(resolve(question));
  EXPECT_EQ(second.at("cached"), true);
  EXPECT_EQ(second.at("ageSeconds"), 40);
  EXPECT_EQ(second.at("digest"), std::string(kDigest));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(world_.data(resolve(question, "?fresh=true")).at("cached"), false);
  EXPECT_EQ(world_.data(resolve({{"imageRef", "team/app:v1"}, {"fresh", true}})).at("cached"), false);
  EXPECT_EQ(calls, 3);
}

TEST_F(Operations, ResolveReportsEveryMistakeOfItsBody) {
  const HttpAnswer answer = resolve({{"imageref", "x"}, {"strict", "yes"}, {"platform", 5}});
  EXPECT_EQ(answer.status, 422);
  std::map<std::string, std::string> found;
  for (const Json& violation : world_.error(answer).at("validationErrors"))
    found[violation.at("field")] = violation.at("code");
  EXPECT_EQ(
      found,
      (std::map<std::string, std::string>{
          {"/imageRef", "required"}, {"/imageref", "unknown_field"}, {"/platform", "type"}, {"/strict", "type"}}));
}

TEST_F(Operations, ManifestIsShownAsJson) {
  const HttpAnswer answer = world_.send("GET", RestWorld::path(id_, "/manifest?ref=team/app:v1"), {}, {}, "use");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world_.data(answer).at("manifest").at("schemaVersion"), 2);
  EXPECT_EQ(world_.data(answer).at("platforms")[0].at("name"), "linux/arm64");
}

TEST_F(Operations, ManifestComesByteForByteWhenAskedFor) {
  const std::string bytes = world_.script->manifest({})->bytes;
  const HttpAnswer raw = world_.send("GET", RestWorld::path(id_, "/manifest?ref=team/app:v1&raw=true"));
  EXPECT_EQ(raw.body, bytes);
  EXPECT_EQ(raw.header("content-type"), "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(raw.header("docker-content-digest"), kDigest);
  const HttpAnswer accepted = world_.send("GET", RestWorld::path(id_, "/manifest?ref=team/app:v1"), {},
                                          {{"Accept", "text/html, application/vnd.oci.image.index.v1+json;q=0.9"}});
  EXPECT_EQ(accepted.body, bytes);
}

TEST_F(Operations, ManifestOfAnActiveTypeIsServedAsPlainBytes) {
  world_.script->manifest = [](const ManifestRequest& request) -> Result<Manifest> {
    return Manifest{.image_ref = request.image_ref,
                    .digest = std::string(kDigest),
                    .media_type = "text/html\r\nSet-Cookie: a=b",
                    .bytes = "<script>alert(1)</script>",
                    .platforms = {}};
  };
  const HttpAnswer raw = world_.send("GET", RestWorld::path(id_, "/manifest?ref=team/app:v1&raw=true"));
  EXPECT_EQ(raw.header("content-type"), "application/octet-stream");
  EXPECT_EQ(raw.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(raw.header("set-cookie"), "");
  const HttpAnswer enveloped = world_.send("GET", RestWorld::path(id_, "/manifest?ref=team/app:v1"));
  EXPECT_EQ(enveloped.status, 502);
  EXPECT_EQ(world_.error(enveloped).at("reason"), "registry.manifest_not_json");
}

TEST_F(Operations, VerifyTellsAMismatchAsAnAnswer) {
  const auto verify = [&](std::string_view digest) {
    return world_.send("POST", RestWorld::path(id_, "/verify"),
                       Json{{"imageRef", "team/app:v1"}, {"digest", digest}}.dump());
  };
  EXPECT_EQ(world_.data(verify(kDigest)).at("verified"), true);
  const HttpAnswer mismatch = verify("sha256:" + std::string(64, '0'));
  EXPECT_EQ(mismatch.status, 200);
  EXPECT_EQ(world_.data(mismatch).at("verified"), false);
  EXPECT_EQ(world_.data(mismatch).at("code"), "registry.digest_mismatch");
}

TEST_F(Operations, WhatTheTypeLacksIsNotImplemented) {
  const std::string modest = world_.create("Modest", "scm.modest");
  const HttpAnswer answer = world_.send("POST", RestWorld::path(modest, "/resolve"), R"({"imageRef":"a:b"})");
  EXPECT_EQ(answer.status, 501);
  EXPECT_EQ(world_.error(answer).at("code"), "unsupported");
}

struct VendorCase {
  std::string name;
  ErrorCode code;
  int status;
};
class VendorFailure : public testing::TestWithParam<VendorCase> {};
TEST_P(VendorFailure, HasAStatusOfItsOwn) {
  RestWorld world;
  const std::string id = world.create("Vendor");
  world.script->resolve = [](const ResolveRequest&) -> Result<ResolvedDigest> {
    return fail(Error(GetParam().code, "the vendor said no").with_reason("registry.example").with_remedy("try later"));
  };
  const HttpAnswer answer = world.send("POST", RestWorld::path(id, "/resolve"), R"({"imageRef":"team/app:v1"})");
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(world.error(answer).at("reason"), "registry.example");
  EXPECT_EQ(world.error(answer).at("remedy"), "try later");
}
INSTANTIATE_TEST_SUITE_P(Codes, VendorFailure,
                         testing::Values(VendorCase{"Refused", ErrorCode::vendor_failure, 502},
                                         VendorCase{"Unreachable", ErrorCode::unavailable, 503},
                                         VendorCase{"TooSlow", ErrorCode::deadline_exceeded, 504},
                                         VendorCase{"NoSuchTag", ErrorCode::not_found, 404}),
                         [](const auto& test) { return test.param.name; });

TEST_F(Operations, TextThatIsNotUtf8DoesNotBreakTheAnswer) {
  world_.script->health = [] {
    return Result<HealthReport>(HealthReport{.status = HealthStatus::degraded,
                                             .code = "http.malformed",
                                             .message = "Vendor said \xFF\xFE",
                                             .remedy = {},
                                             .details = {{"server", "nginx\xC3"}},
                                             .latency = {},
                                             .checked_at = {}});
  };
  const HttpAnswer answer = world_.send("GET", RestWorld::path(id_, "/health?fresh=true"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(world_.data(answer).at("message"), "Vendor said \xEF\xBF\xBD\xEF\xBF\xBD");
}

struct Route {
  std::string name;
  std::string method;
  std::string suffix;
  std::string body;
};
class EveryOperation : public testing::TestWithParam<Route> {};
TEST_P(EveryOperation, OfAnotherTenantsIntegrationIsNotFound) {
  RestWorld world;
  const std::string id = world.create("Mine");
  EXPECT_EQ(world.send(GetParam().method, RestWorld::path(id, GetParam().suffix), GetParam().body, {}, "other").status,
            404);
}
TEST_P(EveryOperation, OfAMalformedIdIsNotFoundAndSaysWhy) {
  RestWorld world;
  const HttpAnswer answer =
      world.send(GetParam().method, RestWorld::path("Production", GetParam().suffix), GetParam().body);
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(world.error(answer).at("message").get<std::string>().find("UUID"), std::string::npos);
}
TEST_P(EveryOperation, RefusesAnUnknownQueryParameter) {
  RestWorld world;
  const std::string id = world.create("Mine");
  const char joint = GetParam().suffix.find('?') == std::string::npos ? '?' : '&';
  const HttpAnswer answer =
      world.send(GetParam().method, RestWorld::path(id, GetParam().suffix + joint + "force=1"), GetParam().body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(world.error(answer).at("reason"), "query.unknown_parameter");
  EXPECT_NE(world.error(answer).at("message").get<std::string>().find("force"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Routes, EveryOperation,
                         testing::Values(Route{"Test", "POST", "/test", ""}, Route{"Health", "GET", "/health", ""},
                                         Route{"Resources", "GET", "/resources?type=repos", ""},
                                         Route{"Resolve", "POST", "/resolve", R"({"imageRef":"a:b"})"},
                                         Route{"Manifest", "GET", "/manifest?ref=a:b", ""},
                                         Route{"Verify", "POST", "/verify",
                                               R"({"imageRef":"a:b","digest":"sha256:00"})"}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace inthub::rest_test
