#include <set>

#include "server/rest/rest_world.h"

namespace inthub::rest_test {
namespace {

using testing_support::OpenApiContract;

std::string permission_of(const Route& route) {
  return route.needs ? std::string(name_of(*route.needs)) : std::string();
}

class OpenApiDocument : public testing::Test {
 protected:
  RestWorld world_;
  Router router_ = make_rest_router({.integrations = *world_.manager,
                                     .connectors = world_.connectors,
                                     .store = *world_.store,
                                     .clock = world_.clock,
                                     .metrics = world_.metrics,
                                     .degraded_modes = {}});
};

TEST_F(OpenApiDocument, DescribesEveryRouteAndNoOther) {
  std::set<std::string> served;
  for (const Route* route : router_.routes()) {
    served.insert(route->method + " " + route->path + " needs:" + permission_of(*route) +
                  (route->takes_body ? " body" : ""));
  }
  std::set<std::string> documented;
  for (const OpenApiContract::Operation& operation : world_.contract.operations()) {
    documented.insert(operation.method + " " + operation.path + " needs:" + operation.permission +
                      (operation.takes_body ? " body" : ""));
  }
  EXPECT_EQ(documented, served);
}

TEST_F(OpenApiDocument, PublicRoutesAndOnlyTheyNeedNoToken) {
  const Json document = Json::parse(openapi_json());
  for (const Route* route : router_.routes()) {
    std::string method = to_lower(route->method);
    const Json& operation = document.at("paths").at(route->path).at(method);
    EXPECT_EQ(operation.contains("security") && operation.at("security").empty(), !route->needs) << route->path;
  }
}

TEST_F(OpenApiDocument, EveryPathParameterIsDescribed) {
  const Json document = Json::parse(openapi_json());
  for (const auto& [path, item] : document.at("paths").items()) {
    const std::size_t open = path.find('{');
    if (open == std::string::npos) continue;
    const std::string name = path.substr(open + 1, path.find('}') - open - 1);
    for (const auto& [method, operation] : item.items()) {
      bool described = false;
      for (const Json& parameter : operation.at("parameters")) {
        const Json& resolved = parameter.contains("$ref")
                                   ? document.at(Json::json_pointer(parameter.at("$ref").get<std::string>().substr(1)))
                                   : parameter;
        described = described || (resolved.at("in") == "path" && resolved.at("name") == name);
      }
      EXPECT_TRUE(described) << method << ' ' << path;
    }
  }
}

TEST_F(OpenApiDocument, OperationIdsAreUnique) {
  const Json document = Json::parse(openapi_json());
  std::set<std::string> ids;
  for (const auto& [path, item] : document.at("paths").items()) {
    for (const auto& [method, operation] : item.items()) {
      EXPECT_TRUE(ids.insert(operation.at("operationId").get<std::string>()).second) << method << ' ' << path;
    }
  }
}

TEST_F(OpenApiDocument, ReferencesLeadSomewhereAndNoComponentIsLeftOver) {
  EXPECT_EQ(world_.contract.check_references(), std::vector<std::string>());
}

TEST_F(OpenApiDocument, ExamplesObeyTheirSchemas) {
  EXPECT_EQ(world_.contract.check_examples(), std::vector<std::string>());
}

TEST_F(OpenApiDocument, ErrorCodesAreThoseOfTheHub) {
  std::set<std::string> documented;
  const Json document = Json::parse(openapi_json());
  for (const Json& code : document.at("components").at("schemas").at("ErrorCode").at("enum"))
    documented.insert(code.get<std::string>());
  std::set<std::string> known;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    known.emplace(describe(static_cast<ErrorCode>(code)).name);
  }
  EXPECT_EQ(documented, known);
}

TEST(OpenApiContractChecker, SeesWhatIsWrong) {
  const OpenApiContract contract(openapi_json());
  const std::map<std::string, std::string> none;
  const auto problems = [&](int status, std::string_view type, std::string_view body) {
    return contract
        .check_answer("GET", "/healthz", {.status = status, .content_type = type, .headers = none, .body = body})
        .size();
  };
  const std::string good =
      R"({"success":true,"data":{"status":"alive","version":"1"},"meta":{"requestId":"r","timestamp":"2026-01-13T18:53:39.000Z"}})";
  EXPECT_EQ(problems(200, "application/json", good), 0U);
  EXPECT_EQ(problems(200, "text/html", good), 1U);
  EXPECT_EQ(problems(200, "application/json", "{"), 1U);
  EXPECT_EQ(problems(200, "application/json", R"({"success":true,"data":{"status":"alive","version":1}})"), 2U);
  EXPECT_GE(problems(500, "application/json", good), 3U);
}

}  // namespace
}  // namespace inthub::rest_test
