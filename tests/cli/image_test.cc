#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/golden.h"
#include "cli/stub_hub.h"

namespace inthub {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing_support::CommandLine;
using testing_support::expect_golden;
using testing_support::kHarborId;
using testing_support::StubHub;

const std::string kDigest = "sha256:" + std::string(64, 'a');  // NOLINT(cert-err58-cpp): of literals

CommandLine shell_of(const StubHub& hub) {
  CommandLine shell;
  shell.variables = hub.variables();
  return shell;
}
std::string route(std::string_view method, std::string_view operation) {
  return fmt::format("{} /api/v1/integrations/{}/{}", method, kHarborId, operation);
}

TEST(Resolve, ShowsTheDigest) {
  const json answer{{"imageRef", "team/app:v1"},
                    {"repository", "team/app"},
                    {"tag", "v1"},
                    {"digest", kDigest},
                    {"manifestType", "application/vnd.oci.image.index.v1+json"},
                    {"sizeBytes", 491},
                    {"pushedAt", nullptr},
                    {"details", json::object()},
                    {"cached", true},
                    {"ageSeconds", 12}};
  const StubHub hub({{route("POST", "resolve"), {200, answer}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"resolve", kHarborId, "team/app:v1"}), 0) << shell.err;
  expect_golden("resolve.txt", shell.out);
  EXPECT_EQ(json::parse(hub.last_request().body), (json{{"imageRef", "team/app:v1"}}));
  EXPECT_EQ(shell.run({"resolve", kHarborId, "team/app:v1", "--quiet"}), 0);
  EXPECT_EQ(shell.out, kDigest + "\n");
  EXPECT_EQ(shell.run({"resolve", kHarborId, "team/app:v1", "--platform", "linux/arm64", "--strict", "--fresh", "-o",
                       "json"}),
            0);
  EXPECT_EQ(json::parse(shell.out), answer);
  EXPECT_EQ(json::parse(hub.last_request().body),
            (json{{"imageRef", "team/app:v1"}, {"platform", "linux/arm64"}, {"strict", true}, {"fresh", true}}));
}

TEST(Manifest, ShowsThePlatformsOfAnIndex) {
  const json answer{{"imageRef", "team/app:v1"},
                    {"digest", kDigest},
                    {"mediaType", "application/vnd.oci.image.index.v1+json"},
                    {"sizeBytes", 491},
                    {"platforms",
                     {{{"name", "linux/amd64"}, {"digest", kDigest}, {"sizeBytes", 401}},
                      {{"name", "linux/arm64"}, {"digest", kDigest}, {"sizeBytes", 40}}}},
                    {"manifest", {{"schemaVersion", 2}}},
                    {"cached", false},
                    {"ageSeconds", 0}};
  const StubHub hub({{route("GET", "manifest"), {200, answer}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"manifest", kHarborId, "team/app:v1"}), 0) << shell.err;
  expect_golden("manifest.txt", shell.out);
  EXPECT_THAT(hub.last_request().target, HasSubstr("/manifest?ref=team%2Fapp%3Av1"));
}

TEST(Manifest, AsRawBytesIsNotTouched) {
  const std::string bytes("{ \"schemaVersion\" : 2,\n\t\"x\": \"\xc3\xa9\" }", 35);
  const testing_support::PeerServer registry(
      testing_support::scripts::answer([&](const auto&) { return testing_support::http_response(200, bytes); }));
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", registry.url()}, {"INTHUB_TOKEN", "t"}};
  EXPECT_EQ(shell.run({"manifest", kHarborId, "team/app:v1", "--raw"}), 0) << shell.err;
  EXPECT_EQ(shell.out, bytes);
  EXPECT_THAT(registry.requests().at(0).target, HasSubstr("raw=true"));
}

TEST(Verify, OfAnotherDigestIsExitCode7) {
  const std::string other = "sha256:" + std::string(64, 'b');
  json answer{{"verified", false},
              {"imageRef", "team/app:v1"},
              {"expectedDigest", kDigest},
              {"actualDigest", other},
              {"code", "registry.digest_mismatch"},
              {"message", "the bytes have another digest"},
              {"cached", false},
              {"ageSeconds", 0}};
  const StubHub mismatch({{route("POST", "verify"), {200, answer}}});
  CommandLine shell = shell_of(mismatch);
  EXPECT_EQ(shell.run({"verify", kHarborId, "team/app:v1", kDigest}), 7);
  expect_golden("verify-mismatch.txt", shell.out);
  EXPECT_EQ(json::parse(mismatch.last_request().body), (json{{"imageRef", "team/app:v1"}, {"digest", kDigest}}));

  answer.update({{"verified", true}, {"actualDigest", kDigest}});
  const StubHub match({{route("POST", "verify"), {200, answer}}});
  shell.variables = match.variables();
  EXPECT_EQ(shell.run({"verify", kHarborId, "team/app:v1", kDigest}), 0);
  EXPECT_THAT(shell.out, HasSubstr("✓ the digest matches"));
}

TEST(Status, ShowsReadinessVersionAndWhetherTheTokenIsAccepted) {
  const StubHub hub(
      {{"GET /readyz",
        {200, {{"status", "degraded"}, {"store", "writable"}, {"degraded", {"outbound loopback is allowed"}}}}},
       {"GET /api/v1", {200, {{"name", "Integration Hub"}, {"version", "9.9.9"}}}},
       {"GET /api/v1/integrations", {200, json::array()}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"status", "--output", "json"}), 0) << shell.err;
  EXPECT_EQ(json::parse(shell.out), (json{{"server", hub.url()},
                                          {"status", "degraded"},
                                          {"degraded", {"outbound loopback is allowed"}},
                                          {"version", "9.9.9"},
                                          {"clientVersion", INTHUB_VERSION},
                                          {"token", "accepted"}}));
  shell.variables["INTHUB_TOKEN"] = "another";
  EXPECT_EQ(shell.run({"status"}), 0);
  EXPECT_THAT(shell.out, HasSubstr("refused"));
}

TEST(Types, AreListedAndShown) {
  const json type{{"id", "registry.oci"},
                  {"family", "registry"},
                  {"displayName", "OCI registry"},
                  {"description", "Any registry"},
                  {"source", "built-in"},
                  {"configSchema",
                   {{"required", {"endpoint"}},
                    {"properties",
                     {{"endpoint", {{"type", "string"}, {"description", "Base URL"}}},
                      {"authMode", {{"enum", {"token", "mtls"}}, {"description", "How"}}},
                      {"platform", {{"type", "string"}, {"description", "Default platform"}}}}}}},
                  {"capabilities", {"repos", "tags", "digests"}},
                  {"operations", {"resolve", "manifest", "verify"}},
                  {"authModes", {"token", "mtls"}},
                  {"resourceTypes",
                   {{{"name", "repos"}, {"parentType", nullptr}, {"description", "Repositories"}},
                    {{"name", "tags"}, {"parentType", "repos"}, {"description", "Tags"}}}},
                  {"credentialRequired", false}};
  const StubHub hub({{"GET /api/v1/integration-types", {200, json::array({type})}},
                     {"GET /api/v1/integration-types/registry.oci", {200, type}}});
  CommandLine shell = shell_of(hub);
  EXPECT_EQ(shell.run({"type", "list"}), 0);
  expect_golden("type-list.txt", shell.out);
  EXPECT_EQ(shell.run({"type", "get", "registry.oci"}), 0);
  expect_golden("type-get.txt", shell.out);
}

}  // namespace
}  // namespace inthub
