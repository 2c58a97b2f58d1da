#include "connector_runtime/call_settings.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace inthub {
namespace {

CallSettings settings_of(const char* config) {
  auto settings = read_call_settings(TenantId(), Json::parse(config));
  EXPECT_TRUE(settings) << settings.error().message();
  return std::move(settings).value_or(CallSettings{});
}

TEST(CallSettings, CustomHeadersNeverCarryCredentialsOrFrameTheMessage) {
  const CallSettings settings = settings_of(R"({"endpoint":"https://a.example","customHeaders":{
    "X-Team":"release","Authorization":"Bearer x","Cookie":"a=b","Host":"evil","Content-Length":"1","Bad Name":"x",
    "X-Split":"a\r\nInjected: b"}})");
  ASSERT_EQ(settings.custom_headers.size(), 1U);
  EXPECT_EQ(settings.custom_headers.find("X-Team"), "release");
}

TEST(CallSettings, TimeoutIsInSecondsAndBounded) {
  EXPECT_EQ(settings_of(R"({"endpoint":"https://a.example"})").exchange_timeout, kDefaultExchange);
  EXPECT_EQ(settings_of(R"({"endpoint":"https://a.example","timeout":2.5})").exchange_timeout,
            std::chrono::milliseconds(2500));
  EXPECT_EQ(settings_of(R"({"endpoint":"https://a.example","timeout":1e9})").exchange_timeout, kLongestExchange);
  EXPECT_EQ(settings_of(R"({"endpoint":"https://a.example","timeout":0})").exchange_timeout, kShortestExchange);
}

TEST(CallSettings, TheNetworkMembersBecomeTheProfile) {
  const CallSettings settings = settings_of(R"({"endpoint":"https://a.example","timeout":5,"caBundle":"PEM",
    "proxy":"http://proxy:3128","noProxy":[".internal"]})");
  EXPECT_EQ(settings.profile->ca_bundle_pem, "PEM");
  EXPECT_EQ(settings.profile->proxy_url, "http://proxy:3128");
  EXPECT_EQ(settings.profile->no_proxy, std::vector<std::string>{".internal"});
  EXPECT_EQ(settings.profile->connect_timeout, std::chrono::seconds(5));
  EXPECT_EQ(settings.profile->partition, TenantId().to_string());
  EXPECT_TRUE(settings.profile->client_certificate_pem.empty());
}

struct BadConfig {
  std::string name;
  std::string config;
  std::string field;
};
class BadCallSettings : public testing::TestWithParam<BadConfig> {};
TEST_P(BadCallSettings, NameTheMember) {
  const auto settings = read_call_settings(TenantId(), Json::parse(GetParam().config));
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code(), ErrorCode::validation_failed);
  EXPECT_EQ(settings.error().reason(), "integration.bad_config");
  EXPECT_EQ(settings.error().field(), GetParam().field);
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadCallSettings,
    testing::Values(BadConfig{"NotAnObject", "[]", ""}, BadConfig{"NoEndpoint", "{}", "/endpoint"},
                    BadConfig{"EndpointOfAnotherScheme", R"({"endpoint":"ftp://a.example"})", "/endpoint"},
                    BadConfig{"EndpointNotText", R"({"endpoint":5})", "/endpoint"},
                    BadConfig{"BadOrigin", R"({"endpoint":"https://a.example","allowedOrigins":["x"]})",
                              "/allowedOrigins"},
                    BadConfig{"NoProxyNotAList", R"({"endpoint":"https://a.example","noProxy":"x"})", "/noProxy"},
                    BadConfig{"MutualTlsWithoutCertificate", R"({"endpoint":"https://a.example","authMode":"mtls"})",
                              "/clientCertificate"}),
    [](const auto& test) { return test.param.name; });

struct TargetCase {
  std::string name;
  std::string endpoint;
  std::string target;
  std::string want;  ///< empty: refused
};
class TargetUrl : public testing::TestWithParam<TargetCase> {};
TEST_P(TargetUrl, IsBuilt) {
  const CallSettings settings = settings_of(
      Json{{"endpoint", GetParam().endpoint}, {"allowedOrigins", {"https://files.example"}}}.dump().c_str());
  const auto url = target_url(settings, GetParam().target);
  if (GetParam().want.empty()) {
    ASSERT_FALSE(url);
    EXPECT_EQ(url.error().reason(), "http.target_refused");
  } else {
    ASSERT_TRUE(url) << url.error().message();
    EXPECT_EQ(url->to_string(), GetParam().want);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Table, TargetUrl,
    testing::Values(TargetCase{"PathBelowThePrefix", "https://a.example/api/v4/", "/projects?page=2",
                               "https://a.example/api/v4/projects?page=2"},
                    TargetCase{"PlainEndpoint", "https://a.example", "/v2/", "https://a.example/v2/"},
                    TargetCase{"EscapesStayAsTheyAre", "https://a.example", "/p/a%2Fb", "https://a.example/p/a%2Fb"},
                    TargetCase{"AbsoluteOfTheSameOrigin", "https://a.example/api", "https://a.example:443/next?x=1",
                               "https://a.example/next?x=1"},
                    TargetCase{"AbsoluteOfAnAllowedOrigin", "https://a.example", "https://files.example/f",
                               "https://files.example/f"},
                    TargetCase{"AbsoluteOfAnotherHost", "https://a.example", "https://evil.example/v2/", ""},
                    TargetCase{"AbsoluteOfAnotherPort", "https://a.example", "https://a.example:8443/v2/", ""},
                    TargetCase{"AbsoluteOfAnotherScheme", "https://a.example", "http://a.example/v2/", ""},
                    TargetCase{"TwoSlashesDoNotChangeTheHost", "https://a.example/x", "//evil.example/v2",
                               "https://a.example/x//evil.example/v2"},
                    TargetCase{"DotSegments", "https://a.example/api", "/../admin", ""},
                    TargetCase{"EscapedDotSegments", "https://a.example/api", "/x/%2E%2e/admin", ""},
                    TargetCase{"DotsInsideANameAreFine", "https://a.example", "/v1..2/.x",
                               "https://a.example/v1..2/.x"},
                    TargetCase{"Blank", "https://a.example", "/a b", ""},
                    TargetCase{"NoSlash", "https://a.example", "v2/", ""}),
    [](const auto& test) { return test.param.name; });

TEST(PlaintextCredentials, OnlyToLoopbackOrWhereTheOperatorSaysSo) {
  const CallSettings strict = settings_of(R"({"endpoint":"https://a.example"})");
  const CallSettings lax = settings_of(R"({"endpoint":"https://a.example","allowPlaintextCredentials":true})");
  const auto url = [](const char* text) { return HttpUrl::parse(text).value(); };
  EXPECT_TRUE(may_carry_credential(strict, url("https://a.example")));
  EXPECT_FALSE(may_carry_credential(strict, url("http://a.example")));
  EXPECT_FALSE(may_carry_credential(strict, url("http://192.168.0.1")));
  EXPECT_FALSE(may_carry_credential(strict, url("http://localhost.evil.example")));
  EXPECT_TRUE(may_carry_credential(lax, url("http://a.example")));
  for (const auto* loopback : {"http://localhost:5000", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]"}) {
    EXPECT_TRUE(may_carry_credential(strict, url(loopback))) << loopback;
  }
}

}  // namespace
}  // namespace inthub
