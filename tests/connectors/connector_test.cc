#include "connectors/connector.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "connectors/integration_type.h"
#include "connectors/vendor_http.h"

namespace inthub {
namespace {

using std::chrono::milliseconds;

TEST(TransportSteps, AreTheDifferencesOfAnExchangesTimings) {
  const auto steps = transport_steps({.dns = milliseconds(5),
                                      .tcp = milliseconds(15),
                                      .tls = milliseconds(40),
                                      .first_byte = {},
                                      .total = milliseconds(100)},
                                     true);
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].duration, milliseconds(5));
  EXPECT_EQ(steps[1].duration, milliseconds(10));
  EXPECT_EQ(steps[2].duration, milliseconds(25));
  EXPECT_EQ(steps[3].duration, milliseconds(60));
}

TEST(TransportSteps, AReusedConnectionPassesWithoutTime) {
  const auto steps =
      transport_steps({.dns = {}, .tcp = {}, .tls = {}, .first_byte = {}, .total = milliseconds(7)}, true);
  EXPECT_EQ(steps[1].status, StepStatus::pass);
  EXPECT_EQ(steps[1].duration, milliseconds(0));
  EXPECT_EQ(steps[3].duration, milliseconds(7));
}

TEST(TransportSteps, PlainHttpSkipsTls) {
  const auto steps = transport_steps(
      {.dns = {}, .tcp = milliseconds(1), .tls = {}, .first_byte = {}, .total = milliseconds(2)}, false);
  EXPECT_EQ(steps[2].status, StepStatus::skip);
}

TEST(TransportSteps, AFailureStopsThemWhereItHappened) {
  for (const auto& [stage, failed] : std::vector<std::pair<HttpStage, std::size_t>>{{HttpStage::dns, 0},
                                                                                    {HttpStage::tcp, 1},
                                                                                    {HttpStage::proxy, 1},
                                                                                    {HttpStage::tls, 2},
                                                                                    {HttpStage::http, 3}}) {
    const HttpFailure failure{
        .error =
            Error(ErrorCode::unavailable, "no").with_reason("some.reason").with_field("/proxy").with_remedy("mend it"),
        .stage = stage,
        .timings = {.dns = milliseconds(1), .tcp = {}, .tls = {}, .first_byte = {}, .total = milliseconds(9)},
        .peer = {}};
    const auto steps = transport_steps(failure, true);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const StepStatus want = i < failed ? StepStatus::pass : (i == failed ? StepStatus::fail : StepStatus::skip);
      EXPECT_EQ(steps[i].status, want);
    }
    EXPECT_EQ(steps[failed].code, "some.reason");
    EXPECT_EQ(steps[failed].field, "/proxy");
    EXPECT_EQ(steps[failed].remedy, "mend it");
  }
}

TEST(Conclude, FillsWhatIsMissingAndNamesTheFirstFailure) {
  ConnectionTest test;
  test.steps = transport_steps({.dns = {}, .tcp = {}, .tls = {}, .first_byte = {}, .total = milliseconds(20)}, true);
  test.steps.push_back({.name = "authentication",
                        .status = StepStatus::fail,
                        .code = "x",
                        .message = "no entry",
                        .duration = milliseconds(5),
                        .field = {},
                        .remedy = {}});
  conclude(test);
  EXPECT_FALSE(test.success);
  EXPECT_EQ(test.error_message, "no entry");
  EXPECT_EQ(test.latency, milliseconds(25));
  ASSERT_EQ(test.steps.size(), 6U);
  EXPECT_EQ(test.steps.back().name, "capability");
  EXPECT_EQ(test.steps.back().status, StepStatus::skip);
}

TEST(Conclude, AWarningIsASuccess) {
  ConnectionTest test;
  test.steps.push_back({.name = "dns",
                        .status = StepStatus::warn,
                        .code = "x",
                        .message = "hm",
                        .duration = {},
                        .field = {},
                        .remedy = {}});
  conclude(test);
  EXPECT_TRUE(test.success);
  EXPECT_TRUE(test.error_message.empty());
}

TEST(HealthStatusNames, RoundTrip) {
  for (const auto status :
       {HealthStatus::unknown, HealthStatus::healthy, HealthStatus::degraded, HealthStatus::unhealthy}) {
    EXPECT_EQ(parse_health_status(name_of(status)), status);
  }
  EXPECT_FALSE(parse_health_status("well"));
}

TEST(ConnectorRegistry, TwoFactoriesForOneTypeAreAConflict) {
  const auto factory = [](std::string source) {
    ConnectorFactory made;
    made.type.id = "registry.x";
    made.type.source = std::move(source);
    made.make = [] { return std::make_unique<Connector>(); };
    return made;
  };
  ConnectorRegistry registry;
  ASSERT_TRUE(registry.add(factory("built-in")));
  const auto second = registry.add(factory("a-plugin"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::conflict);
  EXPECT_NE(second.error().message().find("a-plugin"), std::string::npos);
  EXPECT_NE(registry.find("registry.x"), nullptr);
  EXPECT_EQ(registry.find("registry.y"), nullptr);
  EXPECT_EQ(registry.all().size(), 1U);
}

TEST(VendorError, IsClassifiedByStatus) {
  struct Case {
    int status;
    ErrorCode code;
    std::string reason;
  };
  for (const Case& row : std::vector<Case>{{400, ErrorCode::vendor_failure, "vendor.refused"},
                                           {401, ErrorCode::vendor_failure, "authentication.rejected"},
                                           {403, ErrorCode::vendor_failure, "authentication.forbidden"},
                                           {404, ErrorCode::not_found, "vendor.not_found"},
                                           {429, ErrorCode::unavailable, "vendor.rate_limited"},
                                           {500, ErrorCode::vendor_failure, "vendor.server_error"}}) {
    VendorResponse response;
    response.status = row.status;
    const Error error = vendor_error(response, "list things", "said so");
    EXPECT_EQ(error.code(), row.code) << row.status;
    EXPECT_EQ(error.reason(), row.reason);
    EXPECT_NE(error.message().find("list things"), std::string::npos);
    EXPECT_NE(error.message().find("\"said so\""), std::string::npos);
  }
}

TEST(VendorError, ReadsBothFormsOfRetryAfter) {
  const auto wait = [](const std::vector<Headers::Field>& fields) {
    VendorResponse response;
    response.status = 429;
    for (const auto& [name, value] : fields) response.headers.add(name, value);
    return vendor_error(response, "ask", "").retry_after();
  };
  EXPECT_EQ(wait({{"Retry-After", "120"}}), std::chrono::seconds(120));
  EXPECT_EQ(wait({{"Retry-After", "Wed, 21 Oct 2015 07:28:30 GMT"}, {"Date", "Wed, 21 Oct 2015 07:28:00 GMT"}}),
            std::chrono::seconds(30));
  EXPECT_EQ(wait({{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}, {"Date", "Wed, 21 Oct 2015 07:28:30 GMT"}}),
            std::chrono::seconds(0));
  EXPECT_EQ(wait({{"Retry-After", "Wed, 21 Oct 2015 07:28:30 GMT"}}), std::nullopt);
  EXPECT_EQ(wait({{"Retry-After", "soon"}}), std::nullopt);
  EXPECT_EQ(wait({{"Retry-After", "99999999999999999999999"}}), std::chrono::hours(24));
  EXPECT_EQ(wait({}), std::nullopt);
}

}  // namespace
}  // namespace inthub
