#include "server/rest/rest_world.h"

namespace inthub::rest_test {
namespace {

TEST(IntegrationTypes, AreListedByIdWithEverythingAWizardNeeds) {
  RestWorld world;
  const HttpAnswer answer = world.send("GET", "/api/v1/integration-types", {}, {}, "read");
  ASSERT_EQ(answer.status, 200);
  const Json types = world.data(answer);
  ASSERT_EQ(types.size(), 2U);
  EXPECT_EQ(types[0].at("id"), "registry.scripted");
  EXPECT_EQ(types[1].at("id"), "scm.modest");
  EXPECT_EQ(types[0].at("configSchema").at("required"), Json::array({"endpoint"}));
  EXPECT_EQ(types[0].at("resourceTypes")[1].at("parentType"), "repos");
  EXPECT_TRUE(types[0].at("resourceTypes")[0].at("parentType").is_null());
  EXPECT_EQ(world.json(answer).at("meta").at("pagination").at("totalItems"), 2);
}

TEST(IntegrationTypes, CanBeFilteredByFamilyAndPaged) {
  RestWorld world;
  EXPECT_EQ(world.data(world.send("GET", "/api/v1/integration-types?family=scm")).size(), 1U);
  const HttpAnswer second = world.send("GET", "/api/v1/integration-types?page=2&pageSize=1");
  EXPECT_EQ(world.data(second)[0].at("id"), "scm.modest");
  EXPECT_EQ(world.json(second).at("meta").at("pagination").at("hasPrevious"), true);
  EXPECT_EQ(world.json(second).at("meta").at("pagination").at("hasNext"), false);
  EXPECT_EQ(world.data(world.send("GET", "/api/v1/integration-types?page=9")).size(), 0U);
}

TEST(IntegrationTypes, OneCanBeRead) {
  RestWorld world;
  const HttpAnswer answer = world.send("GET", "/api/v1/integration-types/registry.scripted", {}, {}, "read");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(world.data(answer).at("operations"), Json::array({"resolve", "manifest", "verify"}));
}

TEST(IntegrationTypes, UnknownOneIsNotFoundWithAWayOut) {
  RestWorld world;
  const HttpAnswer answer = world.send("GET", "/api/v1/integration-types/registry.nosuch");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(world.error(answer).at("reason"), "integration_type.not_found");
  EXPECT_NE(world.error(answer).at("remedy").get<std::string>().find("/api/v1/integration-types"), std::string::npos);
}

}  // namespace
}  // namespace inthub::rest_test
