#include "cli/integration_input.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing_support::TemporaryDirectory;

/// A process without terminal, whose standard input holds `text`.
struct Shell {
  explicit Shell(std::string text = {}) : in(std::move(text)) {}
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  CliEnvironment environment{.in = in,
                             .out = out,
                             .err = err,
                             .variable = [](std::string_view) { return std::nullopt; },
                             .ask_secret = [](std::string_view) -> Result<SecretPtr> { return make_secret("typed"); },
                             .extra_commands = {}};
};

constexpr const char* kCertificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

TEST(IntegrationFlagsIntoConfig, EachFlagSetsItsMember) {
  const TemporaryDirectory directory;
  Shell shell;
  const IntegrationFlags flags{
      .endpoint = "https://r.example",
      .username = "robot",
      .ca_bundle_file = directory.write("ca.pem", kCertificate),
      .client_certificate_file = directory.write("client.pem", kCertificate),
      .auth_mode = "token",
      .proxy = "http://proxy:3128",
      .timeout = 5,
      .insecure = true,
      .headers = {"X-Team:  release ", "X-Empty:"},
      .sets = {"platform=linux/arm64", "repositories=[\"a\"]", "retryPolicy={\"maxAttempts\":2}"}};
  const auto config = apply_flags(Json::object(), flags, shell.environment);
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, (Json{{"endpoint", "https://r.example"},
                           {"username", "robot"},
                           {"caBundle", kCertificate},
                           {"clientCertificate", kCertificate},
                           {"authMode", "token"},
                           {"proxy", "http://proxy:3128"},
                           {"timeout", 5},
                           {"insecure", true},
                           {"customHeaders", {{"X-Team", "release"}, {"X-Empty", ""}}},
                           {"platform", "linux/arm64"},
                           {"repositories", {"a"}},
                           {"retryPolicy", {{"maxAttempts", 2}}}}));
}

TEST(IntegrationFlagsIntoConfig, WhatIsNotGivenStaysAndLaterWordsWin) {
  Shell shell("endpoint: https://from-file.example\nplatform: linux/amd64\n");
  const Json before{{"endpoint", "https://old.example"},
                    {"username", "robot"},
                    {"proxy", "http://old:1"},
                    {"customHeaders", {{"A", "1"}}}};
  const IntegrationFlags flags{.config_file = "-",
                               .endpoint = "https://flag.example",
                               .headers = {"B: 2"},
                               .sets = {"platform=linux/arm64"},
                               .unsets = {"proxy"}};
  const auto config = apply_flags(before, flags, shell.environment);
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, (Json{{"endpoint", "https://flag.example"},
                           {"username", "robot"},
                           {"platform", "linux/arm64"},
                           {"customHeaders", {{"A", "1"}, {"B", "2"}}}}));
}

TEST(IntegrationFlagsIntoConfig, APrivateKeyIsNotTakenForACertificate) {
  const TemporaryDirectory directory;
  Shell shell;
  const std::string key = std::string("-----BEGIN PRIVATE ") + "KEY-----\nMIIE\n";
  for (const IntegrationFlags& flags :
       {IntegrationFlags{.ca_bundle_file = directory.write("ca.pem", kCertificate + key)},
        IntegrationFlags{.client_certificate_file = directory.write("c.pem", key)}}) {
    const auto config = apply_flags(Json::object(), flags, shell.environment);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().reason(), "cli.private_key");
    EXPECT_THAT(config.error().remedy(), HasSubstr("--secret-file"));
  }
}

TEST(IntegrationFlagsIntoConfig, BadInputNamesTheFlag) {
  const TemporaryDirectory directory;
  Shell shell("[1]");
  EXPECT_THAT(apply_flags({}, {.headers = {"no colon"}}, shell.environment).error().message(), HasSubstr("--header"));
  EXPECT_THAT(apply_flags({}, {.sets = {"no equals"}}, shell.environment).error().message(), HasSubstr("--set"));
  EXPECT_THAT(apply_flags({}, {.ca_bundle_file = directory.write("ca.der", "x")}, shell.environment).error().message(),
              HasSubstr("--ca-bundle"));
  EXPECT_THAT(apply_flags({}, {.config_file = "-"}, shell.environment).error().message(),
              HasSubstr("standard input must hold an object"));
}

TEST(Credentials, ComeFromOnePlace) {
  const TemporaryDirectory directory;
  Shell shell("from stdin\n");
  EXPECT_EQ(*read_credentials({}, shell.environment), Json());
  EXPECT_EQ(*read_credentials({.credential_ref = "authref://env/X"}, shell.environment),
            (Json{{"ref", "authref://env/X"}}));
  EXPECT_EQ(*read_credentials({.secret_stdin = true}, shell.environment), (Json{{"secret", "from stdin"}}));
  EXPECT_EQ(*read_credentials({.secret_file = directory.write("s", "from file\n")}, shell.environment),
            (Json{{"secret", "from file"}}));
  EXPECT_EQ(*read_credentials({.secret_prompt = true}, shell.environment), (Json{{"secret", "typed"}}));
}

TEST(Credentials, TwoPlacesOrStandardInputTwiceAreRefused) {
  Shell shell;
  EXPECT_EQ(
      read_credentials({.credential_ref = "authref://none", .secret_stdin = true}, shell.environment).error().reason(),
      "cli.usage");
  EXPECT_EQ(read_credentials({.config_file = "-", .secret_stdin = true}, shell.environment).error().reason(),
            "cli.usage");
  EXPECT_EQ(read_credentials({.credential_ref = "hunter2"}, shell.environment).error().reason(), "cli.usage");
}

TEST(Credentials, StandardInputIsNotReadFromATerminalThatShowsIt) {
  Shell shell("x");
  shell.environment.in_is_terminal = true;
  EXPECT_EQ(read_credentials({.secret_stdin = true}, shell.environment).error().reason(), "cli.secret_on_terminal");
}

TEST(PointerOfARequest, LeadsToTheOptionThatSetsIt) {
  EXPECT_EQ(option_for_pointer("/name"), "NAME");
  EXPECT_EQ(option_for_pointer("/type"), "--type");
  EXPECT_EQ(option_for_pointer("/config/caBundle"), "--ca-bundle");
  EXPECT_EQ(option_for_pointer("/config/customHeaders/X-Team"), "--header");
  EXPECT_EQ(option_for_pointer("/config/retryPolicy/maxAttempts"), "--set retryPolicy=…");
  EXPECT_EQ(option_for_pointer("/config"), "--config");
  EXPECT_THAT(option_for_pointer("/credentials/secret"), HasSubstr("--secret-stdin"));
  EXPECT_EQ(option_for_pointer("/caBundle"), "--ca-bundle");  // as a connection test points
  EXPECT_EQ(option_for_pointer("/unheard-of"), "");
  EXPECT_EQ(option_for_pointer(""), "");
}

}  // namespace
}  // namespace inthub
