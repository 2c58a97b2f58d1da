#pragma once

#include <memory>
#include <string>
#include <vector>

#include "foundation/ids.h"
#include "foundation/json.h"
#include "foundation/secret.h"
#include "foundation/task.h"
#include "transport/http_client.h"

namespace inthub {

/// What an authenticator may use to authorise a request of one integration.
class AuthenticationContext {
 public:
  virtual ~AuthenticationContext() = default;
  virtual TenantId tenant() const = 0;
  virtual IntegrationId integration() const = 0;
  /// The integration's config: endpoint, authMode, username, tokenRealmAllow, …
  virtual const Json& config() const = 0;
  virtual const HttpUrl& endpoint() const = 0;
  /// Identifies the credential for caching: the ref's canonical text and the rotation count, never the secret.
  virtual const std::string& credential_key() const = 0;
  /// The secret, resolved at first use and kept for this call only; null for authref://none.
  virtual Task<Result<SecretPtr>> secret() = 0;
  /// Sends a request of the authenticator's own (to a token endpoint) with the integration's transport settings,
  /// deadline, address policy, budgets and redaction, and without any credential but what the authenticator itself put
  /// in.
  virtual Task<Result<HttpResponse>> send(HttpRequest request) = 0;
};

/// Adds an integration's credential to its requests. One object serves every integration of the types that name it;
/// implementations are thread-safe and keep only bounded caches of short-lived tokens.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// Adds what is already known: a cached token, a Basic header. `scopes` are what the request needs, in the
  /// authenticator's own words ("repository:library/ubuntu:pull"). Only called for the integration's own origins.
  virtual Task<Result<void>> authorize(AuthenticationContext& context, HttpRequest& request,
                                       const std::vector<std::string>& scopes) = 0;
  /// The answer was 401 (or 403 with a challenge). True: `request` was changed and is worth one more try; the caller
  /// tries at most twice per call. False: the answer stands. Errors: the credential was refused where it is exchanged.
  virtual Task<Result<bool>> answer_challenge(AuthenticationContext& context, HttpRequest& request,
                                              const std::vector<std::string>& scopes, const HttpResponse& refusal) = 0;
  /// Drops what is cached for an integration whose config or credential changed.
  virtual void forget(IntegrationId integration) = 0;
};

}  // namespace inthub
