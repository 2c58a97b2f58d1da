#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "connector_runtime/retry.h"
#include "foundation/headers.h"
#include "foundation/http_url.h"
#include "foundation/ids.h"
#include "foundation/json.h"
#include "foundation/result.h"
#include "transport/http_client.h"

namespace inthub {

/// config.timeout when it is absent; it is at least kShortestExchange and at most kLongestExchange.
inline constexpr std::chrono::milliseconds kDefaultExchange{30'000};
inline constexpr std::chrono::milliseconds kShortestExchange{100};
inline constexpr std::chrono::milliseconds kLongestExchange{120'000};
/// DNS, TCP and TLS together take at most this, and never more than the exchange.
inline constexpr std::chrono::milliseconds kLongestConnect{10'000};

/// What an integration's config says about its HTTP exchanges, read once per revision. Immutable once shared.
struct CallSettings {
  HttpUrl endpoint;
  /// Where the credential may go: the endpoint's origin, then those of config.allowedOrigins.
  std::vector<HttpUrl> own_origins;
  /// config.customHeaders, without what carries a credential, frames a message or is not a valid field (RFC 9110
  /// section 5).
  Headers custom_headers;
  bool allow_plaintext_credentials = false;
  /// authMode "mtls": the credential is the private key of config.clientCertificate.
  bool mutual_tls = false;
  std::string client_certificate_pem;
  std::chrono::milliseconds exchange_timeout = kDefaultExchange;
  RetryPolicy retry;
  /// Without a client certificate: for other origins than the integration's own, and for all when there is no mutual
  /// TLS.
  TransportProfilePtr profile;

  bool owns(const HttpUrl& url) const;
};

/// Errors: validation_failed, reason "integration.bad_config", with the pointer of the member that cannot be read.
/// Members that are absent have defaults. Pure.
Result<CallSettings> read_call_settings(TenantId tenant, const Json& config);

/// The URL of a connector's target: a path (which begins with "/" and has no dot segments) below the endpoint's path,
/// or an absolute URL of one of the integration's own origins. Errors: invalid_argument, reason "http.target_refused".
/// Pure.
Result<HttpUrl> target_url(const CallSettings& settings, std::string_view target);

/// Whether a credential may be sent there: https, or a loopback host, or the operator has said so.
bool may_carry_credential(const CallSettings& settings, const HttpUrl& url);
/// "localhost", names below it, and the loopback addresses.
bool is_loopback_host(const HttpUrl& url);

}  // namespace inthub
