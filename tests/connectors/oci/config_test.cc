#include "connectors/oci/config.h"

#include <algorithm>
#include <ostream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "connectors/oci/oci_connector.h"
#include "foundation/json_schema.h"

namespace inthub::oci {
namespace {

const std::string kCertificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

Json parsed(const std::string& text) {
  return parse_json(text).value();
}

/// "field code" of each violation.
std::vector<std::string> told(const std::vector<Violation>& violations) {
  std::vector<std::string> lines;
  for (const Violation& violation : violations) {
    EXPECT_FALSE(violation.message.empty());
    lines.push_back(violation.field + " " + violation.code);
  }
  return lines;
}

TEST(OciConfigSchema, AcceptsACompleteConfigAndItsOwnExamples) {
  const auto schema = JsonSchema::compile(config_schema());
  ASSERT_TRUE(schema) << schema.error().message();
  const Json complete = {{"endpoint", "https://r.example/prefix"},
                         {"authMode", "token"},
                         {"username", "robot$ci"},
                         {"timeout", 2.5},
                         {"retryPolicy", {{"maxAttempts", 5}, {"initialDelayMs", 10}, {"maxDelayMs", 60000}}},
                         {"customHeaders", {{"X-Team", "release"}}},
                         {"caBundle", kCertificate},
                         {"clientCertificate", kCertificate},
                         {"proxy", "http://proxy.example:3128"},
                         {"noProxy", {"localhost"}},
                         {"insecure", false},
                         {"allowPlaintextCredentials", false},
                         {"tokenRealmAllow", {"auth.example", "[::1]:5001", "10.0.0.1:80"}},
                         {"repositories", {"team/app"}},
                         {"testRepository", "team/app"},
                         {"platform", "linux/arm64"}};
  EXPECT_EQ(told(schema->check(complete)), std::vector<std::string>{});
  for (const auto& [name, property] : (*config_schema())["properties"].items()) {
    EXPECT_TRUE(property.contains("title") && property.contains("description")) << name;
    EXPECT_TRUE(property.contains("default") || property.contains("examples") || name == "retryPolicy") << name;
    EXPECT_TRUE(complete.contains(name)) << name << " is missing from this test";
    for (const Json& example : property.value("examples", Json::array())) {
      Json config = {{"endpoint", "https://r.example"}};
      config[name] = example;
      EXPECT_EQ(told(schema->check(config)), std::vector<std::string>{}) << name;
    }
  }
}

TEST(OciConfigSchema, RefusesWhatIsOutOfBounds) {
  const auto schema = JsonSchema::compile(config_schema());
  ASSERT_TRUE(schema);
  const auto with = [](const std::string& name, const Json& value) {
    Json config = {{"endpoint", "https://r.example"}};
    config[name] = value;
    return config;
  };
  for (const Json& config :
       {Json::object(), with("password", "hunter2"), with("endpoint", "ftp://r.example"), with("authMode", "iam"),
        with("username", "a:b"), with("username", "a\nb"), with("timeout", 0), with("timeout", 121),
        with("retryPolicy", {{"maxAttempts", 6}}), with("retryPolicy", {{"initialDelayMs", 9}}),
        with("retryPolicy", {{"retries", 1}}), with("customHeaders", {{"Bad Name", "x"}}),
        with("customHeaders", {{"X-A", "a\r\nInjected: b"}}), with("caBundle", "not PEM"),
        with("proxy", "http://user:secret@proxy.example"), with("tokenRealmAllow", {"https://auth.example"}),
        with("repositories", {"a", "a"}), with("insecure", "yes")}) {
    EXPECT_FALSE(schema->check(config).empty()) << config.dump();
  }
}

struct RuleCase {
  std::string name;
  std::string config;
  bool has_credential;
  std::vector<std::string> want;
};
std::ostream& operator<<(std::ostream& out, const RuleCase& row) {
  return out << row.name;
}

class OciRules : public testing::TestWithParam<RuleCase> {};

TEST_P(OciRules, NameTheMemberToMend) {
  const auto type = factory().type;
  ASSERT_TRUE(type.check_rules);
  EXPECT_EQ(told(type.check_rules(parsed(GetParam().config), GetParam().has_credential)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Configs, OciRules,
    testing::Values(
        RuleCase{"AnonymousHttps", R"({"endpoint":"https://r.example"})", false, {}},
        RuleCase{"WithCredential", R"({"endpoint":"https://r.example","username":"u"})", true, {}},
        RuleCase{"CredentialWithoutUser", R"({"endpoint":"https://r.example"})", true, {"/username required"}},
        RuleCase{"HttpUnsaid", R"({"endpoint":"http://r.example"})", false, {"/endpoint insecure_endpoint"}},
        RuleCase{"HttpSaid", R"({"endpoint":"http://r.example","insecure":true})", false, {}},
        RuleCase{"HttpWithCredential",
                 R"({"endpoint":"http://r.example","insecure":true,"username":"u"})",
                 true,
                 {"/endpoint plaintext_credential"}},
        RuleCase{"HttpWithCredentialAllowed",
                 R"({"endpoint":"http://r.example","insecure":true,"username":"u","allowPlaintextCredentials":true})",
                 true,
                 {}},
        RuleCase{"LoopbackWithCredential",
                 R"({"endpoint":"http://127.0.0.1:5000","insecure":true,"username":"u"})",
                 true,
                 {}},
        RuleCase{"LoopbackLookAlike",
                 R"({"endpoint":"http://127.0.0.1.example","insecure":true,"username":"u"})",
                 true,
                 {"/endpoint plaintext_credential"}},
        RuleCase{"EndpointWithApiPath", R"({"endpoint":"https://r.example/v2/"})", false, {"/endpoint format"}},
        RuleCase{"EndpointWithQuery", R"({"endpoint":"https://r.example/?a=b"})", false, {"/endpoint format"}},
        RuleCase{"EndpointWithPassword", R"({"endpoint":"https://u:p@r.example"})", false, {"/endpoint format"}},
        RuleCase{"MtlsAlone",
                 R"({"endpoint":"https://r.example","authMode":"mtls"})",
                 false,
                 {"/clientCertificate required", "/credentialRef required"}},
        RuleCase{"MtlsOverHttp",
                 R"({"endpoint":"http://localhost","insecure":true,"authMode":"mtls","clientCertificate":"x"})",
                 true,
                 {"/authMode insecure_endpoint"}},
        RuleCase{
            "OauthAlone", R"({"endpoint":"https://r.example","authMode":"oauth"})", false, {"/credentialRef required"}},
        RuleCase{"OauthNeedsNoUser", R"({"endpoint":"https://r.example","authMode":"oauth"})", true, {}},
        RuleCase{"CredentialHeader",
                 R"({"endpoint":"https://r.example","customHeaders":{"Authorization":"x","X-Ok":"y"}})",
                 false,
                 {"/customHeaders/Authorization credential_header"}},
        RuleCase{"ReservedHeader",
                 R"({"endpoint":"https://r.example","customHeaders":{"ACCEPT":"x"}})",
                 false,
                 {"/customHeaders/ACCEPT reserved_header"}},
        RuleCase{"DelaysCrossed",
                 R"({"endpoint":"https://r.example","retryPolicy":{"initialDelayMs":500,"maxDelayMs":100}})",
                 false,
                 {"/retryPolicy/maxDelayMs minimum"}},
        RuleCase{"PrivateKeyInBundle",
                 R"({"endpoint":"https://r.example","caBundle":"-----BEGIN PRIVATE KEY-----"})",
                 false,
                 {"/caBundle secret_in_config"}},
        RuleCase{
            "Names",
            R"({"endpoint":"https://r.example","repositories":["ok","Bad"],"testRepository":"a:b","platform":"linux"})",
            false,
            {"/repositories/1 format", "/testRepository format", "/platform format"}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace inthub::oci
