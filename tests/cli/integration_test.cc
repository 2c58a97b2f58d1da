#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/golden.h"
#include "cli/input.h"
#include "cli/stub_hub.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::CommandLine;
using testing_support::expect_golden;
using testing_support::failed_test;
using testing_support::harbor;
using testing_support::kHarborId;
using testing_support::kStubToken;
using testing_support::StubHub;
using testing_support::TemporaryDirectory;

constexpr const char* kSecret = "correct-horse-battery-staple";

std::string one(std::string_view operation = {}) {
  return fmt::format("/api/v1/integrations/{}{}{}", kHarborId, operation.empty() ? "" : "/", operation);
}
StubHub::Routes with_harbor(StubHub::Routes more = {}) {
  more["GET /api/v1/integrations"] = {200, json::array({harbor()}), {{"hasNext", false}}};
  more["GET " + one()] = {200, harbor(), nullptr, "ETag: \"3\"\r\n"};
  return more;
}
CommandLine shell_of(const StubHub& hub) {
  CommandLine shell;
  shell.variables = hub.variables();
  return shell;
}
json passed_test() {
  json test = failed_test();
  test["success"] = true;
  test["steps"].erase(test["steps"].begin() + 1, test["steps"].end());
  return test;
}

TEST(IntegrationList, IsATableForPeople) {
  json other = harbor();
  other.update({{"name", "a-registry-with-a-long-name"}, {"healthStatus", "unhealthy"}, {"lastHealthCheck", nullptr}});
  const StubHub hub({{"GET /api/v1/integrations", {200, {harbor(), other}, {{"hasNext", false}}}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "list"}), 0);
  expect_golden("integration-list.txt", shell.out);
  EXPECT_THAT(shell.err, IsEmpty());
}

TEST(IntegrationList, IsOneDocumentForPrograms) {
  const StubHub hub(with_harbor());
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "list", "--output", "json"}), 0);
  EXPECT_EQ(json::parse(shell.out), json::array({harbor()}));
  EXPECT_TRUE(shell.out.ends_with("]\n"));
  EXPECT_EQ(shell.run({"integration", "list", "-o", "yaml"}), 0);
  EXPECT_EQ(*parse_document(shell.out), json::array({harbor()}));
}

TEST(IntegrationList, PassesItsFiltersOn) {
  const StubHub hub(with_harbor());
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "list", "--type", "registry.oci", "--health", "unhealthy", "-q", "a b", "--sort",
                       "-name"}),
            0);
  EXPECT_EQ(hub.last_request().target,
            "/api/v1/integrations?type=registry.oci&health=unhealthy&q=a%20b&sort=-name&page=1&pageSize=200");
}

TEST(IntegrationList, FollowsPagesUpToTheLimitAndSaysThatThereIsMore) {
  const StubHub hub({{"GET /api/v1/integrations", {200, {harbor(), harbor()}, {{"hasNext", true}}}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "list", "--limit", "3", "--output", "json"}), 0);
  EXPECT_EQ(json::parse(shell.out).size(), 3);
  EXPECT_THAT(shell.err, HasSubstr("only the first 3 are shown"));
  EXPECT_EQ(hub.requests().size(), 2);
}

TEST(IntegrationGet, TakesANameOrAnId) {
  const StubHub hub(with_harbor());
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "get", "harbor"}), 0);
  expect_golden("integration-get.txt", shell.out);
  EXPECT_EQ(hub.requests().at(0).target, "/api/v1/integrations?name=harbor");
  EXPECT_EQ(shell.run({"integration", "get", kHarborId}), 0);
  EXPECT_EQ(hub.requests().size(), 3);
}

TEST(IntegrationGet, OfAnUnknownNameIsExitCode4) {
  const StubHub hub(with_harbor());
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "get", "harbour"}), 4);
  EXPECT_THAT(shell.err, HasSubstr("there is no integration named \"harbour\""));
}

TEST(IntegrationNames, MayBeWordsThatAreCommands) {
  for (const std::string name : {"list", "get", "status", "integration"}) {
    json named = harbor();
    named["name"] = name;
    const StubHub hub({{"GET /api/v1/integrations", {200, json::array({named})}}, {"GET " + one(), {200, named}}});
    CommandLine shell = shell_of(hub);
    EXPECT_EQ(shell.run({"integration", "get", name, "--output", "json"}), 0) << shell.err;
    EXPECT_EQ(json::parse(shell.out)["name"], name);
  }
}

TEST(IntegrationCreate, SendsConfigAndSecretAndShowsNoSecret) {
  const TemporaryDirectory directory;
  const std::string pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const StubHub hub({{"POST /api/v1/integrations", {201, harbor()}}});
  CommandLine shell = shell_of(hub);
  shell.in = std::string(kSecret) + "\n";
  EXPECT_EQ(shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--endpoint",
                       "https://registry.example", "--username", "robot", "--ca-bundle", directory.write("ca.pem", pem),
                       "--secret-stdin", "--idempotency-key", "once"}),
            0)
      << shell.err;
  const auto request = hub.last_request();
  EXPECT_EQ(json::parse(request.body),
            (json{{"type", "registry.oci"},
                  {"name", "harbor"},
                  {"config", {{"endpoint", "https://registry.example"}, {"username", "robot"}, {"caBundle", pem}}},
                  {"credentials", {{"secret", kSecret}}}}));
  EXPECT_EQ(request.header("Idempotency-Key"), "once");
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  EXPECT_THAT(shell.out, HasSubstr("✓ created harbor"));
  EXPECT_THAT(shell.shown(), Not(HasSubstr(kSecret)));
  EXPECT_THAT(shell.shown(), Not(HasSubstr(kStubToken)));
}

TEST(IntegrationCreate, AsksForTheSecretOnTheTerminal) {
  const StubHub hub({{"POST /api/v1/integrations", {201, harbor()}}});
  CommandLine shell = shell_of(hub);
  shell.typed_secret = kSecret;
  EXPECT_EQ(shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--secret-prompt"}), 0);
  EXPECT_EQ(json::parse(hub.last_request().body)["credentials"]["secret"], kSecret);
  EXPECT_EQ(shell.questions.size(), 1);
  EXPECT_THAT(shell.shown(), Not(HasSubstr(kSecret)));
}

TEST(IntegrationCreate, RefusesASecretAmongTheArgumentsBeforeAnythingIsSent) {
  const StubHub hub({{"POST /api/v1/integrations", {201, harbor()}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--password", kSecret}), 2);
  EXPECT_THAT(shell.err, HasSubstr("--secret-stdin"));
  EXPECT_THAT(shell.shown(), Not(HasSubstr(kSecret)));
  EXPECT_THAT(hub.requests(), IsEmpty());
}

TEST(IntegrationCreate, WithTestSavesNothingWhenTheTestFails) {
  const StubHub hub(
      {{"POST /api/v1/integrations:test", {200, failed_test()}}, {"POST /api/v1/integrations", {201, harbor()}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--test"}), 7);
  EXPECT_THAT(shell.out, HasSubstr("✗"));
  EXPECT_THAT(shell.err, HasSubstr("harbor was not saved"));
  EXPECT_EQ(hub.requests().size(), 1);
  EXPECT_EQ(shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--test", "--output", "json"}), 7);
  EXPECT_EQ(json::parse(shell.out), failed_test());
}

TEST(IntegrationCreate, WithTestAndForceSavesAllTheSame) {
  const StubHub hub(
      {{"POST /api/v1/integrations:test", {200, failed_test()}}, {"POST /api/v1/integrations", {201, harbor()}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(
      shell.run({"integration", "create", "harbor", "--type", "registry.oci", "--test", "--force", "--output", "json"}),
      0);
  EXPECT_EQ(json::parse(shell.out), harbor());
  EXPECT_THAT(shell.err, HasSubstr("warning: saved although"));
}

TEST(IntegrationUpdate, ChangesOnlyWhatIsNamedAndOnlyTheRevisionItSaw) {
  const StubHub hub(with_harbor({{"PUT " + one(), {200, harbor()}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "update", "harbor", "--endpoint", "https://new.example", "--unset", "timeout"}),
            0)
      << shell.err;
  const auto request = hub.last_request();
  EXPECT_EQ(json::parse(request.body),
            (json{{"type", "registry.oci"},
                  {"name", "harbor"},
                  {"config", {{"endpoint", "https://new.example"}, {"username", "robot"}}}}));
  EXPECT_EQ(request.header("If-Match"), "\"3\"");
}

TEST(IntegrationUpdate, TestsWithTheCredentialInUse) {
  const StubHub hub(
      with_harbor({{"PUT " + one(), {200, harbor()}}, {"POST /api/v1/integrations:test", {200, passed_test()}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "update", "harbor", "--name", "harbor-2", "--test"}), 0) << shell.err;
  const auto requests = hub.requests();
  ASSERT_EQ(requests.size(), 4);
  EXPECT_EQ(json::parse(requests[2].body)["credentials"]["ref"], harbor()["credentialRef"]);
  EXPECT_FALSE(json::parse(requests[3].body).contains("credentials"));
  EXPECT_EQ(json::parse(requests[3].body)["name"], "harbor-2");
}

TEST(IntegrationSetCredential, SendsTheConfigUnchanged) {
  const StubHub hub(with_harbor({{"PUT " + one(), {200, harbor()}}}));
  CommandLine shell = shell_of(hub);
  shell.in = kSecret;
  EXPECT_EQ(shell.run({"integration", "set-credential", "harbor", "--secret-stdin"}), 0) << shell.err;
  const json body = json::parse(hub.last_request().body);
  EXPECT_EQ(body["config"], harbor()["config"]);
  EXPECT_EQ(body["credentials"], (json{{"secret", kSecret}}));
  EXPECT_EQ(shell.run({"integration", "set-credential", "harbor"}), 2);
}

TEST(IntegrationDelete, DeletesByNameAndSaysSo) {
  const StubHub hub(with_harbor({{"DELETE " + one(), {204}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "delete", "harbor"}), 0) << shell.err;
  EXPECT_EQ(shell.out, "✓ deleted harbor\n");
  EXPECT_EQ(shell.run({"integration", "delete", "harbor", "--output", "json"}), 0);
  EXPECT_EQ(json::parse(shell.out), (json{{"id", kHarborId}, {"deleted", true}}));
}

TEST(IntegrationDelete, AsksOnATerminal) {
  const StubHub hub(with_harbor({{"DELETE " + one(), {204}}}));
  CommandLine shell = shell_of(hub);
  shell.is_terminal = true;
  shell.in = "n\n";
  EXPECT_EQ(shell.run({"integration", "delete", "harbor"}), 130);
  EXPECT_EQ(hub.last_request().method, "GET");
  shell.in = "y\n";
  EXPECT_EQ(shell.run({"integration", "delete", "harbor"}), 0);
  EXPECT_EQ(hub.last_request().method, "DELETE");
}

TEST(IntegrationTest, ShowsTheStepsAndWhatToDo) {
  const StubHub hub(with_harbor({{"POST " + one("test"), {200, failed_test()}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "test", "harbor"}), 7);
  expect_golden("integration-test-failed.txt", shell.out);
  EXPECT_THAT(hub.last_request().target, testing::EndsWith("/test?fresh=true"));
  EXPECT_EQ(shell.run({"integration", "test", "harbor", "--cached"}), 7);
  EXPECT_THAT(hub.last_request().target, testing::EndsWith("/test"));
}

TEST(IntegrationTest, ThatPassesIsExitCode0) {
  const StubHub hub(with_harbor({{"POST " + one("test"), {200, passed_test()}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "test", "harbor"}), 0);
  EXPECT_THAT(shell.out, HasSubstr("✓ harbor: the connection works"));
  EXPECT_EQ(shell.run({"integration", "test", "harbor", "--output", "json"}), 0);
  EXPECT_EQ(json::parse(shell.out), passed_test());
}

TEST(IntegrationTest, ShowsProgressAndColoursOnATerminalOnly) {
  const StubHub hub(with_harbor({{"POST " + one("test"), {200, failed_test()}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "test", "harbor"}), 7);
  EXPECT_THAT(shell.shown(), Not(HasSubstr("\x1b")));
  shell.is_terminal = true;
  EXPECT_EQ(shell.run({"integration", "test", "harbor"}), 7);
  EXPECT_THAT(shell.err, HasSubstr("testing harbor"));
  EXPECT_TRUE(shell.err.ends_with("\r\x1b[K"));
  EXPECT_THAT(shell.out, HasSubstr("\x1b[31m✗"));
  shell.variables["NO_COLOR"] = "1";
  EXPECT_EQ(shell.run({"integration", "test", "harbor"}), 7);
  EXPECT_THAT(shell.out, Not(HasSubstr("\x1b")));
}

TEST(IntegrationHealth, IsExitCode7OnlyWhenUnhealthy) {
  for (const auto& [status, exit_code] :
       std::vector<std::pair<std::string, int>>{{"healthy", 0}, {"degraded", 0}, {"unknown", 0}, {"unhealthy", 7}}) {
    const StubHub hub(with_harbor({{"GET " + one("health"),
                                    {200,
                                     {{"status", status},
                                      {"code", "connectivity.refused"},
                                      {"message", "nothing listens"},
                                      {"remedy", "start it"},
                                      {"details", {{"endpoint", "https://registry.example"}}},
                                      {"latencyMs", 3},
                                      {"checkedAt", "2026-01-13T18:53:39.000Z"},
                                      {"cached", true},
                                      {"ageSeconds", 42}}}}}));
    CommandLine shell = shell_of(hub);
    EXPECT_EQ(shell.run({"integration", "health", "harbor"}), exit_code) << status;
    if (status == "unhealthy") expect_golden("integration-health.txt", shell.out);
  }
}

TEST(IntegrationResources, AreListedWithTheirParentAndTheHubsWarnings) {
  const json resources{{"resources",
                        {{{"type", "tags"},
                          {"id", "team/app:v1"},
                          {"name", "v1"},
                          {"url", nullptr},
                          {"parentId", "team/app"},
                          {"attributes", json::object()}},
                         {{"type", "tags"},
                          {"id", "team/app:v2"},
                          {"name", "v2"},
                          {"url", nullptr},
                          {"parentId", "team/app"},
                          {"attributes", {{"signed", "yes"}}}}}},
                       {"truncated", true},
                       {"warnings", {"one repository cannot be read"}},
                       {"cached", false},
                       {"ageSeconds", 0}};
  const StubHub hub(with_harbor({{"GET " + one("resources"), {200, resources, {{"hasNext", false}}}}}));
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"integration", "resources", "harbor", "tags", "--parent", "team/app"}), 0);
  expect_golden("integration-resources.txt", shell.out);
  EXPECT_THAT(shell.err, HasSubstr("warning: one repository cannot be read"));
  EXPECT_THAT(shell.err, HasSubstr("has more than the hub lists"));
  EXPECT_EQ(shell.run({"integration", "resources", "harbor", "tags", "--output", "json"}), 0);
  EXPECT_EQ(json::parse(shell.out), resources);
}

}  // namespace
}  // namespace inthub
