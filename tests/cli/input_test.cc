#include "cli/input.h"

#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "support/temporary_directory.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::TemporaryDirectory;

constexpr const char* kSecret = "hunter2-hunter2";

struct RefusedCase {
  std::string name;
  std::vector<std::string> arguments;

  friend std::ostream& operator<<(std::ostream& out, const RefusedCase& row) { return out << row.name; }
};
class ArgumentsWithASecret : public testing::TestWithParam<RefusedCase> {};

TEST_P(ArgumentsWithASecret, AreRefusedWithoutEchoingTheValue) {
  const Error none(ErrorCode::internal, "it passed");
  const Error refused = refuse_secret_arguments(GetParam().arguments).value_or(none);
  EXPECT_EQ(refused.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(refused.reason(), "cli.secret_on_command_line");
  EXPECT_THAT(refused.message(), HasSubstr("shell's history"));
  EXPECT_THAT(refused.message() + refused.remedy(), Not(HasSubstr(kSecret)));
  EXPECT_THAT(refused.remedy(), testing::AnyOf(HasSubstr("--secret-stdin"), HasSubstr("--token-file")));
}

INSTANTIATE_TEST_SUITE_P(
    , ArgumentsWithASecret,
    testing::Values(RefusedCase{"SecretOption", {"integration", "create", "x", "--secret", kSecret}},
                    RefusedCase{"SecretOptionWithEquals", {"--secret=" + std::string(kSecret)}},
                    RefusedCase{"PasswordOption", {"--password", kSecret}},
                    RefusedCase{"UpperCase", {"--PASSWORD", kSecret}}, RefusedCase{"TokenOption", {"--token", kSecret}},
                    RefusedCase{"TokenOptionWithEquals", {"--token=" + std::string(kSecret)}},
                    RefusedCase{"ApiKey", {"--api-key", kSecret}},
                    RefusedCase{"AuthorizationHeader", {"--header", "Authorization: Bearer " + std::string(kSecret)}},
                    RefusedCase{"CookieHeaderWithEquals", {"--header=Cookie: a=" + std::string(kSecret)}},
                    RefusedCase{"PasswordAsConfigMember", {"--set", "password=" + std::string(kSecret)}},
                    RefusedCase{"TokenAsConfigMember", {"--set=accessToken=" + std::string(kSecret)}},
                    RefusedCase{"PasswordInUrl",
                                {"--endpoint", fmt::format("https://robot:{}@registry.example", kSecret)}},
                    RefusedCase{"PasswordInProxyUrl", {fmt::format("--proxy=http://u:{}@proxy:3128", kSecret)}}),
    [](const auto& test) { return test.param.name; });

TEST(ArgumentsWithoutASecret, Pass) {
  EXPECT_FALSE(refuse_secret_arguments({"integration", "create", "x", "--secret-stdin", "--token-file", "t",
                                        "--secret-file", "f", "--header", "X-Team: release", "--set", "timeout=5",
                                        "--credential-ref", "authref://env/X", "--endpoint",
                                        "https://registry.example/a@b", "team/app@sha256:abc", "--set", "tokens"}));
}

TEST(SecretFile, OneLineEndAtItsEndIsNotPartOfTheSecret) {
  const TemporaryDirectory directory;
  for (const auto& [content, secret] : std::vector<std::pair<std::string, std::string>>{
           {"abc", "abc"}, {"abc\n", "abc"}, {"abc\r\n", "abc"}, {"abc\n\n", "abc\n"}, {" abc ", " abc "}}) {
    const auto read = read_secret_file(directory.write("secret", content));
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)->reveal(), secret);
  }
}

TEST(SecretFile, AnEmptyMissingOrHugeFileIsRefused) {
  const TemporaryDirectory directory;
  EXPECT_EQ(read_secret_file(directory.write("empty", "\n")).error().reason(), "cli.empty_secret");
  EXPECT_EQ(read_secret_file(directory.path() / "missing").error().reason(), "cli.file");
  EXPECT_EQ(read_secret_file(directory.path()).error().reason(), "cli.file");
  EXPECT_EQ(read_secret_file(directory.write("huge", std::string(kMaxSecretBytes + 1, 'x'))).error().code(),
            ErrorCode::payload_too_large);
}

TEST(ConfigDocument, JsonAndYamlMeanTheSame) {
  const auto json = parse_document(
      R"({"endpoint":"https://r.example","timeout":5,"noProxy":["a","b"],"deep":{"on":true,"none":null}})");
  const auto yaml =
      parse_document("endpoint: https://r.example\ntimeout: 5\nnoProxy: [a, b]\ndeep:\n  on: true\n  none:\n");
  ASSERT_TRUE(json);
  ASSERT_TRUE(yaml);
  EXPECT_EQ(*json, *yaml);
}

TEST(ConfigDocument, YamlScalarsFollowTheCoreSchema) {
  const auto document = parse_document(
      "integer: -7\nreal: 1.5\nexponent: 1e3\nversion: 1.2.3\nzip: 0123\nquoted: '7'\nno: no\nyes: \"true\"\ntilde: "
      "~\nhuge: 99999999999999999999\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(*document, (Json{{"integer", -7},
                             {"real", 1.5},
                             {"exponent", 1000.0},
                             {"version", "1.2.3"},
                             {"zip", "0123"},
                             {"quoted", "7"},
                             {"no", "no"},
                             {"yes", "true"},
                             {"tilde", nullptr},
                             {"huge", 1e20}}));
}

struct BadDocument {
  std::string name;
  std::string text;
  ErrorCode code = ErrorCode::invalid_argument;

  friend std::ostream& operator<<(std::ostream& out, const BadDocument& row) { return out << row.name; }
};
class ConfigDocumentRefuses : public testing::TestWithParam<BadDocument> {};

TEST_P(ConfigDocumentRefuses, WithoutQuotingIt) {
  const auto document = parse_document(GetParam().text);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code(), GetParam().code);
  EXPECT_THAT(document.error().message(), Not(HasSubstr(kSecret)));
}

std::string alias_bomb() {
  std::string text = "a0: &a0 [x]\n";
  for (int level = 1; level < 30; ++level)
    text += fmt::format("a{}: &a{} [*a{}, *a{}]\n", level, level, level - 1, level - 1);
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    , ConfigDocumentRefuses,
    testing::Values(BadDocument{"BrokenYaml", fmt::format("a: [{}", kSecret)},
                    BadDocument{"BrokenJson", fmt::format("{{\"a\": {}", kSecret)},
                    BadDocument{"TwiceTheSameKey", fmt::format("{}: 1\n{}: 2\n", kSecret, kSecret)},
                    BadDocument{"TwoDocuments", "a: 1\n---\nb: 2\n"}, BadDocument{"Nothing", ""},
                    BadDocument{"KeyIsAList", "[a]: 1\n"}, BadDocument{"Tag", "a: !!binary aGk=\n"},
                    BadDocument{"NotUtf8", "a: \xff\n"}, BadDocument{"EndlessAlias", "a: &a [*a]\n"},
                    BadDocument{"AliasBomb", alias_bomb(), ErrorCode::payload_too_large},
                    BadDocument{"DeepNesting", std::string(200, '[') + std::string(200, ']')}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace inthub
