#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "foundation/clock.h"
#include "foundation/error.h"
#include "foundation/headers.h"
#include "foundation/json.h"

namespace inthub {

/// No pause between two attempts is longer. A Retry-After beyond it is not waited for: the answer goes to the caller at
/// once.
inline constexpr std::chrono::milliseconds kLongestRetryWait{60'000};
/// An attempt is only begun when at least this much of the deadline is left for it.
inline constexpr std::chrono::milliseconds kShortestAttempt{100};
/// More attempts than this are never made, whatever the config says.
inline constexpr int kMostAttempts = 10;

/// config.retryPolicy.
struct RetryPolicy {
  int max_attempts = 3;  ///< the first one included; 1: no retry
  std::chrono::milliseconds initial_delay{1'000};
  std::chrono::milliseconds max_delay = kLongestRetryWait;
};

/// Reads {maxAttempts, initialDelayMs, maxDelayMs}; what is absent or not a number keeps its default, what is out of
/// range is brought into it (attempts 1 to kMostAttempts, delays 0 to kLongestRetryWait). Pure.
RetryPolicy read_retry_policy(const Json& config);

/// Delay before retry `n` (the first is 1): uniform in [0, min(max_delay, initial_delay * 2^(n-1))], that is
/// exponential with full jitter. A server's Retry-After wins over the computed value. Never above kLongestRetryWait.
std::chrono::milliseconds retry_delay(int n, const RetryPolicy& policy,
                                      std::optional<std::chrono::milliseconds> retry_after, RandomSource& random);

/// Retry-After in both forms of RFC 9110 section 10.2.3: seconds, or a date compared with `now` (a past one gives
/// zero).
std::optional<std::chrono::milliseconds> parse_retry_after(const Headers& headers, Timestamp now);

/// GET, HEAD, OPTIONS, PUT and DELETE (RFC 9110 section 9.2.2).
bool is_idempotent(std::string_view method);
/// 408, 429, 500, 502, 503, 504, and the proxies' 499 and 522.
bool is_retryable_status(int status);
/// Network faults that may pass: name server silent, connection refused, reset, unreachable, timed out or closed early.
/// A certificate, a policy or a malformed answer will be the same next time.
bool is_retryable_failure(const Error& error);

/// What the last attempt came to, as far as the decision needs it.
struct AttemptOutcome {
  int attempt = 1;  ///< its number, from 1
  bool retryable = false;
  std::optional<std::chrono::milliseconds> retry_after;
};
/// The pause before the next attempt, or nothing when there is to be none: not retryable, attempts used up, Retry-After
/// longer than kLongestRetryWait, or less than kShortestAttempt left of `deadline` after the pause.
std::optional<std::chrono::milliseconds> plan_retry(const AttemptOutcome& outcome, const RetryPolicy& policy,
                                                    RandomSource& random, Deadline now, Deadline deadline);

}  // namespace inthub
