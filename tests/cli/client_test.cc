#include "cli/client.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/stub_hub.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "support/test_ca.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::CommandLine;
using testing_support::free_port;
using testing_support::http_response;
using testing_support::kStubToken;
using testing_support::PeerServer;
using testing_support::StubHub;
using testing_support::TemporaryDirectory;
using testing_support::TestCa;

const StubHub::Routes kEmptyHub{
    {"GET /api/v1/integrations", {200, nlohmann::json::array()}}};  // NOLINT(cert-err58-cpp): of literals

TEST(AccessToken, IsTakenFromTheFileTheFileVariableOrTheVariable) {
  const TemporaryDirectory directory;
  const std::string right = directory.write("right", std::string(kStubToken) + "\n");
  const std::string wrong = directory.write("wrong", "another\n");
  const StubHub hub(kEmptyHub);
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", hub.url()}, {"INTHUB_TOKEN", "wrong"}, {"INTHUB_TOKEN_FILE", wrong}};
  EXPECT_EQ(shell.run({"integration", "list", "--token-file", right}), 0);
  shell.variables["INTHUB_TOKEN_FILE"] = right;
  EXPECT_EQ(shell.run({"integration", "list"}), 0);
  shell.variables = {{"INTHUB_SERVER", hub.url()}, {"INTHUB_TOKEN", kStubToken}};
  EXPECT_EQ(shell.run({"integration", "list"}), 0);
}

/// The working directory, for as long as this object lives.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;
  ~WorkingDirectory() { std::filesystem::current_path(before_); }

 private:
  std::filesystem::path before_;
};

TEST(AccessToken, ThatIsMissingIsExplainedBeforeAnythingIsSent) {
  const TemporaryDirectory empty;
  const WorkingDirectory here(empty.path());
  const StubHub hub(kEmptyHub);
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", hub.url()}};
  EXPECT_EQ(shell.run({"integration", "list"}), 3);
  EXPECT_THAT(shell.err, HasSubstr("no access token"));
  EXPECT_THAT(shell.err, HasSubstr("remedy: "));
  EXPECT_THAT(shell.err, HasSubstr("--token-file"));
  EXPECT_THAT(hub.requests(), IsEmpty());
}

TEST(AccessToken, OfTheDataDirectoryIsForAHubOfThisMachineAlone) {
  const TemporaryDirectory directory;
  directory.write("data/admin.token", kStubToken);
  const WorkingDirectory here(directory.path());
  const StubHub hub(kEmptyHub);
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", hub.url()}};
  EXPECT_EQ(shell.run({"integration", "list"}), 0);
  shell.variables = {{"INTHUB_SERVER", "http://192.0.2.1:1"}};
  EXPECT_EQ(shell.run({"integration", "list"}), 3);
  EXPECT_THAT(shell.err, HasSubstr("no access token"));
}

TEST(AccessToken, ThatIsRefusedNamesWhereItCameFrom) {
  const StubHub hub(kEmptyHub);
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", hub.url()}, {"INTHUB_TOKEN", "stale-token-of-old"}};
  EXPECT_EQ(shell.run({"integration", "list"}), 3);
  EXPECT_THAT(shell.err, HasSubstr("the token came from INTHUB_TOKEN"));
  EXPECT_THAT(shell.err, Not(HasSubstr("stale-token-of-old")));
}

TEST(AccessToken, ThatIsNotOneWordIsRefused) {
  const TemporaryDirectory directory;
  CommandLine shell;
  EXPECT_EQ(shell.run({"integration", "list", "--token-file", directory.write("t", "two words\n")}), 2);
  EXPECT_THAT(shell.err, HasSubstr("not one word"));
  EXPECT_THAT(shell.err, Not(HasSubstr("two words")));
}

TEST(TheHub, ThatDoesNotRunIsNamedWithTheCommandThatStartsIt) {
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", "http://127.0.0.1:" + std::to_string(free_port())},
                     {"INTHUB_TOKEN", kStubToken}};
  EXPECT_EQ(shell.run({"integration", "list"}), 8);
  EXPECT_THAT(shell.err, HasSubstr("no answer from the hub at http://127.0.0.1:"));
  EXPECT_THAT(shell.err, HasSubstr("inthub serve --data-dir ./data"));
}

TEST(TheHub, IsNotMistakenForAnotherService) {
  for (const std::string body : {"<html>hello</html>", "{\"message\":\"hello\"}", ""}) {
    const PeerServer other(testing_support::scripts::answer([&](const auto&) { return http_response(404, body); }));
    CommandLine shell;
    shell.variables = {{"INTHUB_SERVER", other.url()}, {"INTHUB_TOKEN", kStubToken}};
    EXPECT_EQ(shell.run({"integration", "list"}), 8) << body;
    EXPECT_THAT(shell.err, HasSubstr("not as an Integration Hub does"));
  }
}

TEST(TheHub, ThatHangsIsWaitedForNoLongerThanMaxTime) {
  const PeerServer silent(testing_support::scripts::hang());
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", silent.url()}, {"INTHUB_TOKEN", kStubToken}};
  EXPECT_EQ(shell.run({"integration", "list", "--max-time", "1"}), 8);
  EXPECT_THAT(shell.err, HasSubstr("no answer from the hub"));
}

TEST(TheHub, BehindTlsIsTrustedByServerCaOnly) {
  const TestCa authority;
  const TemporaryDirectory directory;
  const PeerServer peer(testing_support::scripts::answer(
                            [](const auto&) { return http_response(200, R"({"success":true,"data":[],"meta":{}})"); }),
                        {.tls = authority.issue(), .client_ca_pem = {}});
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", peer.url()}, {"INTHUB_TOKEN", kStubToken}};
  EXPECT_EQ(shell.run({"integration", "list"}), 8);
  EXPECT_THAT(shell.err, HasSubstr("tls.unknown_authority"));
  EXPECT_THAT(shell.err, HasSubstr("--server-ca"));
  EXPECT_EQ(shell.run({"integration", "list", "--server-ca", authority.write_to(directory.path(), "ca")}), 0);
}

TEST(TheHub, MayStandBelowAPath) {
  const PeerServer peer(testing_support::scripts::answer(
      [](const auto&) { return http_response(200, R"({"success":true,"data":[],"meta":{}})"); }));
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", peer.url("/hub/")}, {"INTHUB_TOKEN", kStubToken}};
  EXPECT_EQ(shell.run({"integration", "list"}), 0);
  EXPECT_THAT(peer.requests().at(0).target, testing::StartsWith("/hub/api/v1/integrations?"));
}

TEST(TheHub, WhoseAddressIsWrongIsNotAsked) {
  CommandLine shell;
  for (const std::string address : {"localhost:8080", "ftp://localhost", "http://127.0.0.1:1/?a=b"}) {
    shell.variables = {{"INTHUB_SERVER", address}, {"INTHUB_TOKEN", kStubToken}};
    EXPECT_EQ(shell.run({"integration", "list"}), 2) << address;
    EXPECT_THAT(shell.err, HasSubstr("the hub's address"));
  }
}

TEST(Warning, IsGivenWhenTheTokenWouldTravelUnencrypted) {
  CommandLine shell;
  shell.variables = {{"INTHUB_SERVER", "http://192.0.2.1:1"}, {"INTHUB_TOKEN", kStubToken}};
  shell.run({"integration", "list", "--max-time", "1"});
  EXPECT_THAT(shell.err, HasSubstr("warning: the access token travels unencrypted to http://192.0.2.1:1"));
}

struct Refusal {
  int status;
  int exit_code;
};
class ExitCode : public testing::TestWithParam<Refusal> {};

TEST_P(ExitCode, FollowsTheClassOfTheFailure) {
  const StubHub hub(
      {{"GET /api/v1/integrations",
        {GetParam().status,
         {{"code", "some_code"}, {"reason", "some.reason"}, {"message", "it went wrong"}, {"remedy", "do better"}}}}});
  CommandLine shell;
  shell.variables = hub.variables();
  EXPECT_EQ(shell.run({"integration", "list"}), GetParam().exit_code);
  EXPECT_EQ(shell.err, "error: it went wrong [some.reason]\nremedy: do better\nrequest: stub-request\n");
  EXPECT_THAT(shell.out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, ExitCode,
                         testing::Values(Refusal{400, 2}, Refusal{401, 3}, Refusal{403, 3}, Refusal{404, 4},
                                         Refusal{409, 5}, Refusal{412, 5}, Refusal{413, 6}, Refusal{415, 6},
                                         Refusal{422, 6}, Refusal{429, 8}, Refusal{500, 1}, Refusal{501, 6},
                                         Refusal{502, 7}, Refusal{503, 8}, Refusal{504, 8}),
                         [](const auto& test) { return "Of" + std::to_string(test.param.status); });

TEST(Violations, AreListedWithTheOptionThatSetsEach) {
  const StubHub hub(
      {{"POST /api/v1/integrations",
        {422,
         {{"code", "validation_failed"},
          {"message", "the request breaks 2 rules"},
          {"validationErrors",
           {{{"field", "/config/endpoint"}, {"message", "is required"}, {"code", "required"}},
            {{"field", "/config/platform"}, {"message", "must be a string\x1b[31m"}, {"code", "type"}}}}}}}});
  CommandLine shell;
  shell.variables = hub.variables();
  EXPECT_EQ(shell.run({"integration", "create", "x", "--type", "registry.oci"}), 6);
  EXPECT_EQ(shell.err,
            "error: the request breaks 2 rules\n"
            "  /config/endpoint (--endpoint): is required\n"
            "  /config/platform (--set platform=…): must be a string?[31m\n"
            "request: stub-request\n");
}

}  // namespace
}  // namespace inthub
