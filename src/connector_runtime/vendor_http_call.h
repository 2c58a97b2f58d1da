#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "connector_runtime/call_secrets.h"
#include "connector_runtime/call_settings.h"
#include "connector_runtime/circuit_breaker.h"
#include "connectors/vendor_http.h"
#include "foundation/clock.h"
#include "foundation/secret.h"

namespace inthub {

class Authenticator;
class CredentialResolver;
class FlightProgress;
class HttpClient;
class VendorMetrics;
struct CallTarget;

/// Challenges answered per send().
inline constexpr int kMostChallenges = 2;
/// A time-out that came sooner than this, because the callers wanted an answer sooner, says nothing about the vendor:
/// it does not count for the breaker.
inline constexpr std::chrono::milliseconds kFairTrial{5'000};
/// Of an authenticator's own exchanges: a token answer is a few KiB.
inline constexpr std::size_t kMostAuthenticationBytes = std::size_t{1} << 20;

/// The VendorHttp of one call. What it does for every request, in this order: the target must belong to the
/// integration; custom headers, User-Agent and traceparent; the authenticator, for the integration's own origins only
/// and not over plain http (except to loopback, or where config.allowPlaintextCredentials says so); the breaker; the
/// exchange, by the sooner of config.timeout and the call's deadline; retry of idempotent methods; at most
/// kMostChallenges challenges; redirects of GET and HEAD.
///
/// A redirect that leaves the integration's own origins is followed without the credential, the client certificate and
/// the custom headers, and once that has happened nothing further down the chain gets them.
///
/// An answer 429 or 503 with Retry-After that is not retried here (attempts used up, the pause longer than
/// kLongestRetryWait or than what is left of the deadline) is a response like any other; vendor_error() turns it into
/// an Error with retry_after. Used by one coroutine chain on one io_context.
class VendorHttpCall final : public VendorHttp {
 public:
  struct Environment {
    HttpClient& http;
    CredentialResolver& credentials;
    CircuitBreaker& breaker;
    const Clock& clock;
    RandomSource& random;
    VendorMetrics& metrics;
  };
  struct Call {
    const CallTarget& target;
    std::shared_ptr<const CallSettings> settings;
    Authenticator* authenticator = nullptr;  ///< null: nothing is added
    std::shared_ptr<const FlightProgress> progress;
    std::string credential_key;
    std::string trace_id;
    /// The breaker lets everything pass and learns from it: for whoever must see the truth.
    bool observe_only = false;
  };

  /// The environment, and what the call refers to, must outlive this object.
  VendorHttpCall(const Environment& environment, Call call);
  ~VendorHttpCall() override;
  VendorHttpCall(const VendorHttpCall&) = delete;
  VendorHttpCall& operator=(const VendorHttpCall&) = delete;

  Task<Result<VendorResponse>> send(VendorRequest request) override;
  /// Null when the last send() ended with a response, or before its first exchange. Never of an authenticator's own
  /// exchange. Redacted.
  const HttpFailure* last_failure() const override;

  /// Of the last exchange that ended with a response.
  const std::optional<HttpTimings>& last_timings() const;
  /// The last send() ended in the authenticator: the credential could not be resolved, exchanged or applied.
  bool failed_in_authentication() const;
  /// A failure came from the caller's own short deadline, so it must not be remembered as the vendor's state.
  bool was_cut_short() const;
  CallSecrets& secrets();

 private:
  class Authentication;
  struct Hop;

  /// How an exchange is made, and for whom.
  struct Manner {
    bool once = false;              ///< no retry
    bool observe = false;           ///< the breaker lets it pass
    bool of_authenticator = false;  ///< says nothing about how far the connector's own request came
  };
  Task<Result<HttpResponse>> exchange(const HttpRequest& request, TransportProfilePtr profile, Manner manner);
  Task<Result<HttpResponse>> ask(Hop& hop, const VendorRequest& wanted);
  Task<Result<SecretPtr>> credential();
  Task<Result<TransportProfilePtr>> profile_for(bool own);
  Result<void> may_send_credential(const HttpUrl& url) const;
  HttpRequest prepare(const VendorRequest& wanted, const HttpUrl& url, bool own, std::size_t max_body_bytes) const;

  Environment environment_;
  Call call_;
  std::unique_ptr<Authentication> authentication_;
  CallSecrets secrets_;
  bool credential_resolved_ = false;
  SecretPtr credential_;
  TransportProfilePtr mutual_tls_profile_;
  std::optional<HttpFailure> failure_;
  std::optional<HttpTimings> timings_;
  bool cut_short_ = false;
  bool failed_in_authentication_ = false;
};

}  // namespace inthub
