#include "connector_runtime/retry.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "foundation/error.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace inthub {
namespace {

using std::chrono::milliseconds;
using testing_support::FixedRandom;

TEST(RetryPolicy, AbsentMembersKeepTheirDefaults) {
  const RetryPolicy policy = read_retry_policy(Json::parse(R"({"retryPolicy":{"maxAttempts":5}})"));
  EXPECT_EQ(policy.max_attempts, 5);
  EXPECT_EQ(policy.initial_delay, RetryPolicy{}.initial_delay);
  EXPECT_EQ(policy.max_delay, RetryPolicy{}.max_delay);
}

TEST(RetryPolicy, ValuesOutOfRangeAreBroughtIntoIt) {
  const RetryPolicy policy = read_retry_policy(
      Json::parse(R"({"retryPolicy":{"maxAttempts":1e9,"initialDelayMs":-5,"maxDelayMs":99999999999999}})"));
  EXPECT_EQ(policy.max_attempts, kMostAttempts);
  EXPECT_EQ(policy.initial_delay, milliseconds(0));
  EXPECT_EQ(policy.max_delay, kLongestRetryWait);
}

TEST(RetryDelay, GrowsExponentiallyWithFullJitterUpToTheMaximum) {
  FixedRandom random;
  const RetryPolicy policy{.max_attempts = 10, .initial_delay = milliseconds(100), .max_delay = milliseconds(1000)};
  struct Case {
    int n;
    milliseconds ceiling;
  };
  for (const auto& [n, ceiling] : {Case{1, milliseconds(100)},
                                   {2, milliseconds(200)},
                                   {4, milliseconds(800)},
                                   {5, milliseconds(1000)},
                                   {9, milliseconds(1000)}}) {
    milliseconds least = milliseconds::max();
    milliseconds most{0};
    for (int i = 0; i < 2000; ++i) {
      const auto delay = retry_delay(n, policy, std::nullopt, random);
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    EXPECT_LE(most, ceiling) << n;
    EXPECT_GT(most, ceiling * 9 / 10) << n;
    EXPECT_LT(least, ceiling / 10) << n;
  }
}

TEST(RetryDelay, RetryAfterWinsAndIsCapped) {
  FixedRandom random;
  const RetryPolicy policy{.max_attempts = 3, .initial_delay = milliseconds(1), .max_delay = milliseconds(2)};
  EXPECT_EQ(retry_delay(1, policy, milliseconds(7000), random), milliseconds(7000));
  EXPECT_EQ(retry_delay(1, policy, milliseconds(600'000), random), kLongestRetryWait);
}

struct RetryAfterCase {
  std::string name;
  std::string value;
  std::optional<milliseconds> want;
};
class RetryAfter : public testing::TestWithParam<RetryAfterCase> {};
TEST_P(RetryAfter, IsRead) {
  Headers headers;
  headers.add("retry-after", GetParam().value);
  const Timestamp now = testing_support::FakeClock().now();  // 2026-01-13T18:53:39Z
  EXPECT_EQ(parse_retry_after(headers, now), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Forms, RetryAfter,
    testing::Values(RetryAfterCase{"Seconds", "7", milliseconds(7000)}, RetryAfterCase{"Zero", "0", milliseconds(0)},
                    RetryAfterCase{"Date", "Tue, 13 Jan 2026 18:53:49 GMT", milliseconds(10'000)},
                    RetryAfterCase{"PastDate", "Tue, 13 Jan 2026 18:00:00 GMT", milliseconds(0)},
                    RetryAfterCase{"Negative", "-1", std::nullopt},
                    RetryAfterCase{"Overflow", "99999999999999999999", milliseconds(86'400'000LL * 365)},
                    RetryAfterCase{"Nonsense", "soon", std::nullopt}, RetryAfterCase{"Fraction", "1.5", std::nullopt},
                    RetryAfterCase{"Empty", "", std::nullopt}),
    [](const auto& test) { return test.param.name; });

TEST(Retry, OnlyIdempotentMethods) {
  for (const auto* method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) EXPECT_TRUE(is_idempotent(method)) << method;
  for (const auto* method : {"POST", "PATCH", "get", ""}) EXPECT_FALSE(is_idempotent(method)) << method;
}

TEST(Retry, OnlyStatusesThatMayPass) {
  for (const int status : {408, 429, 499, 500, 502, 503, 504, 522}) EXPECT_TRUE(is_retryable_status(status)) << status;
  for (const int status : {200, 301, 400, 401, 403, 404, 409, 422, 501, 505}) {
    EXPECT_FALSE(is_retryable_status(status)) << status;
  }
}

TEST(Retry, OnlyNetworkFaultsThatMayPass) {
  const auto error = [](const char* reason) { return Error(ErrorCode::unavailable, "m").with_reason(reason); };
  for (const auto* reason : {"connectivity.refused", "connectivity.reset", "http.timeout", "http.connection_closed"}) {
    EXPECT_TRUE(is_retryable_failure(error(reason))) << reason;
  }
  for (const auto* reason : {"tls.expired", "tls.handshake_failed", "connectivity.address_denied",
                             "connectivity.dns_not_found", "http.body_too_large", "breaker.open"}) {
    EXPECT_FALSE(is_retryable_failure(error(reason))) << reason;
  }
}

struct PlanCase {
  std::string name;
  AttemptOutcome outcome;
  milliseconds left;
  std::optional<milliseconds> want;
};
class RetryPlan : public testing::TestWithParam<PlanCase> {};
TEST_P(RetryPlan, IsMade) {
  FixedRandom random;
  const RetryPolicy policy{.max_attempts = 3, .initial_delay = milliseconds(0), .max_delay = milliseconds(0)};
  const Deadline now{};
  EXPECT_EQ(plan_retry(GetParam().outcome, policy, random, now, now + GetParam().left), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, RetryPlan,
    testing::Values(
        PlanCase{"FirstFailure", {1, true, std::nullopt}, milliseconds(1000), milliseconds(0)},
        PlanCase{"LastAttempt", {3, true, std::nullopt}, milliseconds(1000), std::nullopt},
        PlanCase{"NotRetryable", {1, false, std::nullopt}, milliseconds(1000), std::nullopt},
        PlanCase{"NoTimeLeft", {1, true, std::nullopt}, kShortestAttempt - milliseconds(1), std::nullopt},
        PlanCase{"JustEnoughTimeLeft", {1, true, std::nullopt}, kShortestAttempt, milliseconds(0)},
        PlanCase{"RetryAfterFits", {1, true, milliseconds(2000)}, milliseconds(2500), milliseconds(2000)},
        PlanCase{"RetryAfterBeyondDeadline", {1, true, milliseconds(2000)}, milliseconds(2050), std::nullopt},
        PlanCase{
            "RetryAfterBeyondTheLongestWait", {1, true, milliseconds(61'000)}, milliseconds(100'000), std::nullopt}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace inthub
