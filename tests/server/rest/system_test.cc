#include "server/rest/rest_world.h"

namespace inthub::rest_test {
namespace {

TEST(SystemRoutes, NeedNoToken) {
  RestWorld world;
  for (const char* path : {"/", "/api/v1", "/healthz", "/readyz", "/metrics", "/openapi.json"}) {
    EXPECT_EQ(world.send_plain("GET", path).status, 200) << path;
  }
}

TEST(SystemRoutes, IndexLeadsToTheDocumentation) {
  RestWorld world;
  const Json index = world.data(world.send_plain("GET", "/api/v1"));
  EXPECT_EQ(index.at("links").at("openapi"), "/openapi.json");
  for (const auto& [name, link] : index.at("links").items()) {
    EXPECT_NE(world.send("GET", link.get<std::string>()).status, 404) << name;
  }
}

TEST(Readiness, TellsDegradedModesAndStaysReady) {
  RestWorld world;
  world.degraded = {"outbound loopback addresses are allowed"};
  const HttpAnswer answer = world.send_plain("GET", "/readyz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(world.data(answer).at("status"), "degraded");
  EXPECT_EQ(world.data(answer).at("degraded"), Json(world.degraded));
}

TEST(Readiness, StoreThatCannotWriteMakesTheHubUnready) {
  RestWorld world;
  world.switched->full = true;
  const HttpAnswer answer = world.send_plain("GET", "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(world.error(answer).at("reason"), "hub.not_ready");
  EXPECT_EQ(world.error(answer).at("details").at("store"), "store.full");
  EXPECT_EQ(world.send_plain("GET", "/healthz").status, 200) << "alive all the same";
}

TEST(Readiness, DoesNotDependOnAVendor) {
  RestWorld world;
  const std::string id = world.create("Broken");
  world.script->health = [] { return Result<HealthReport>(fail(ErrorCode::unavailable, "down")); };
  EXPECT_EQ(world.data(world.send("GET", RestWorld::path(id, "/health"))).at("status"), "unhealthy");
  EXPECT_EQ(world.send_plain("GET", "/readyz").status, 200);
}

TEST(MetricsRoute, SpeaksThePrometheusTextFormat) {
  RestWorld world;
  world.metrics.counter("inthub_example_total", "An example").add(3);
  const HttpAnswer answer = world.send_plain("GET", "/metrics");
  EXPECT_EQ(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(answer.body.find("inthub_example_total 3"), std::string::npos);
}

TEST(OpenApiRoute, ServesTheDocumentWithAnETag) {
  RestWorld world;
  const HttpAnswer answer = world.send_plain("GET", "/openapi.json");
  EXPECT_EQ(world.json(answer).at("openapi"), "3.1.0");
  const std::string etag = answer.header("etag");
  const HttpAnswer again = world.send_plain("GET", "/openapi.json", {}, {{"If-None-Match", etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
}

TEST(EmbeddedDocument, KeepsTheTypesOfScalars) {
  const Json document = Json::parse(openapi_json());
  const Json& page = document.at("components").at("parameters").at("Page").at("schema");
  EXPECT_TRUE(page.at("minimum").is_number_integer());
  EXPECT_TRUE(document.at("info").at("version").is_string());
  EXPECT_TRUE(document.at("components").at("parameters").at("IntegrationId").at("required").is_boolean());
  EXPECT_EQ(document.at("components").at("headers").at("IdempotentReplayed").at("schema").at("const"), "true");
}

}  // namespace
}  // namespace inthub::rest_test
