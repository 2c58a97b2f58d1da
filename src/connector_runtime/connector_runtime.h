#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "connectors/connector.h"
#include "connectors/integration_type.h"
#include "foundation/ids.h"
#include "foundation/json.h"
#include "foundation/task.h"

namespace inthub {

class Authenticator;
class CredentialResolver;
class HttpClient;
class Metrics;
class RandomSource;

/// The snapshot of an integration that a call works on. A draft has a nil id and is never cached.
struct CallTarget {
  TenantId tenant;
  IntegrationId id;
  std::int64_t revision = 0;
  std::string type;
  JsonPtr config;
  std::string credential_ref;
  SecretPtr draft_secret;  ///< a secret given for one test of a draft; wins over the ref
};

struct CallOptions {
  Deadline deadline = Deadline::max();
  bool fresh = false;  ///< bypass the caches; the answer still refreshes them
  std::string trace_id;
};

/// An answer and where it came from.
template <class T>
struct Answer {
  std::shared_ptr<const T> value;
  bool cached = false;
  std::chrono::seconds age{0};
};

/// Runs connector operations under the call policies: deadline (the caller's, at most the integration's timeout per
/// exchange and 120 s per call), per-integration concurrency (16 at once, 256 waiting), single-flight of identical
/// calls, retry with full jitter and Retry-After for idempotent requests, a circuit breaker per integration and origin,
/// and the four caches:
///
///   connection tests    2 min sliding      500 entries
///   health             5 min sliding    1,000
///   discovery         10 min sliding    5,000
///   tag resolution     1 h absolute   10,000   (a reference with a digest is not cached)
///
/// No sliding entry outlives six TTLs. Entries belong to (integration, revision): a changed integration starts cold.
/// Failures are never cached, except that a connection test or health report with a failed step is a value like any
/// other.
///
/// Calls may come from any io_context. A call that the last interested caller has left is cancelled. Thread-safe.
class ConnectorRuntime {
 public:
  struct Dependencies {
    const ConnectorRegistry& connectors;
    std::map<std::string, std::shared_ptr<Authenticator>> authenticators;
    CredentialResolver& credentials;
    HttpClient& http;
    const Clock& clock;
    RandomSource& random;
    Metrics& metrics;
  };
  explicit ConnectorRuntime(Dependencies dependencies);
  ~ConnectorRuntime();

  Task<Result<Answer<ConnectionTest>>> test_connection(CallTarget target, CallOptions options);
  Task<Result<Answer<HealthReport>>> get_health(CallTarget target, CallOptions options);
  Task<Result<Answer<ResourceList>>> discover_resources(CallTarget target, DiscoverRequest request,
                                                        CallOptions options);
  Task<Result<Answer<ResolvedDigest>>> resolve_tag_to_digest(CallTarget target, ResolveRequest request,
                                                             CallOptions options);
  Task<Result<Answer<Manifest>>> fetch_manifest(CallTarget target, ManifestRequest request, CallOptions options);
  Task<Result<Answer<Verification>>> verify_digest(CallTarget target, VerifyRequest request, CallOptions options);

  /// The cached resolution, without suspending: for the hot path. Null when there is none.
  std::shared_ptr<const ResolvedDigest> cached_resolution(IntegrationId id, std::int64_t revision,
                                                          const ResolveRequest& request,
                                                          std::chrono::seconds& age) const;

  /// Drops everything cached for an integration: after a change, a deletion or a rotated credential.
  void forget(IntegrationId id);

  /// Cancels running calls and joins them, for shutdown.
  Task<void> stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
