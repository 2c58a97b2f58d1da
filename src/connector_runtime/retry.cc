#include "connector_runtime/retry.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

namespace inthub {
namespace {

std::int64_t number_in(const Json& object, const char* name, std::int64_t fallback, std::int64_t least,
                       std::int64_t most) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return fallback;
  const double value = found->get<double>();
  return static_cast<std::int64_t>(std::clamp(value, static_cast<double>(least), static_cast<double>(most)));
}

}  // namespace

RetryPolicy read_retry_policy(const Json& config) {
  RetryPolicy policy;
  if (!config.is_object()) return policy;
  const auto found = config.find("retryPolicy");
  if (found == config.end() || !found->is_object()) return policy;
  const std::int64_t longest = kLongestRetryWait.count();
  policy.max_attempts = static_cast<int>(number_in(*found, "maxAttempts", policy.max_attempts, 1, kMostAttempts));
  policy.initial_delay =
      std::chrono::milliseconds(number_in(*found, "initialDelayMs", policy.initial_delay.count(), 0, longest));
  policy.max_delay = std::chrono::milliseconds(number_in(*found, "maxDelayMs", policy.max_delay.count(), 0, longest));
  return policy;
}

std::chrono::milliseconds retry_delay(int n, const RetryPolicy& policy,
                                      std::optional<std::chrono::milliseconds> retry_after, RandomSource& random) {
  if (retry_after) return std::clamp(*retry_after, std::chrono::milliseconds(0), kLongestRetryWait);
  const int doublings = std::clamp(n - 1, 0, kMostAttempts);
  const auto grown = policy.initial_delay * (std::int64_t{1} << doublings);
  const auto ceiling = std::min({grown, policy.max_delay, kLongestRetryWait});
  return std::chrono::milliseconds(
      random.below(static_cast<std::uint64_t>(std::max<std::int64_t>(ceiling.count(), 0)) + 1));
}

std::optional<std::chrono::milliseconds> parse_retry_after(const Headers& headers, Timestamp now) {
  const auto value = headers.find("Retry-After");
  if (!value || value->empty()) return std::nullopt;
  // Far beyond any wait that is honoured, and far from overflowing when it becomes milliseconds.
  constexpr std::int64_t kMostSeconds = std::int64_t{86'400} * 365;
  std::int64_t seconds = 0;
  const auto [end, status] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  const bool whole = end == value->data() + value->size();
  if (whole && status == std::errc::result_out_of_range && value->front() != '-') seconds = kMostSeconds;
  if (whole && seconds >= 0 && status != std::errc::invalid_argument) {
    return std::chrono::seconds(std::min(seconds, kMostSeconds));
  }
  const auto date = parse_http_date(*value);
  if (!date) return std::nullopt;
  return std::max(*date - now, std::chrono::milliseconds(0));
}

bool is_idempotent(std::string_view method) {
  static constexpr std::array<std::string_view, 5> kMethods{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

bool is_retryable_status(int status) {
  static constexpr std::array kStatuses{408, 429, 499, 500, 502, 503, 504, 522};
  return std::ranges::find(kStatuses, status) != kStatuses.end();
}

bool is_retryable_failure(const Error& error) {
  static constexpr std::array<std::string_view, 8> kReasons{
      "connectivity.dns_timeout", "connectivity.refused", "connectivity.timeout", "connectivity.unreachable",
      "connectivity.reset",       "tls.timeout",          "http.timeout",         "http.connection_closed"};
  return std::ranges::find(kReasons, error.reason()) != kReasons.end();
}

std::optional<std::chrono::milliseconds> plan_retry(const AttemptOutcome& outcome, const RetryPolicy& policy,
                                                    RandomSource& random, Deadline now, Deadline deadline) {
  if (!outcome.retryable || outcome.attempt >= policy.max_attempts) return std::nullopt;
  if (outcome.retry_after && *outcome.retry_after > kLongestRetryWait) return std::nullopt;
  const auto pause = retry_delay(outcome.attempt, policy, outcome.retry_after, random);
  if (deadline - now < pause + kShortestAttempt) return std::nullopt;
  return pause;
}

}  // namespace inthub
