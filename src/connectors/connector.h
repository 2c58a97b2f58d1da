#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/json.h"
#include "foundation/result.h"
#include "foundation/secret.h"
#include "foundation/task.h"

namespace inthub {

class VendorHttp;
struct HttpFailure;
struct HttpTimings;

/// What one call may know and use. Lives as long as the call.
struct CallContext {
  TenantId tenant;
  IntegrationId integration;
  std::int64_t revision = 0;
  const Json& config;
  bool anonymous = false;  ///< credential ref is authref://none
  Deadline deadline;
  std::string trace_id;
  const Clock& clock;
  VendorHttp& http;
};

enum class StepStatus : std::uint8_t { pass, warn, fail, skip };
std::string_view name_of(StepStatus status);

/// One step of a connection test, in order: dns, tcp, tls, http, authentication, capability.
struct TestStep {
  std::string name;
  StepStatus status = StepStatus::skip;
  std::string code;     ///< stable: "ok", "skipped", or a failure's reason ("tls.expired")
  std::string message;  ///< one sentence
  std::chrono::microseconds duration{};
  std::string field;   ///< config pointer that a failure points at ("/caBundle", "/credentialRef")
  std::string remedy;  ///< what to do about a failure
};
/// Wire: TestConnectionResponse. success is true iff no step failed.
struct ConnectionTest {
  bool success = false;
  std::string error_message;  ///< of the first failed step, empty on success
  std::map<std::string, std::string> details;
  std::chrono::milliseconds latency{};
  std::vector<TestStep> steps;
  Timestamp tested_at{};
};

enum class HealthStatus : std::uint8_t { unknown, healthy, degraded, unhealthy };
std::string_view name_of(HealthStatus status);
std::optional<HealthStatus> parse_health_status(std::string_view text);

/// Wire: HealthResponse.
struct HealthReport {
  HealthStatus status = HealthStatus::unknown;
  std::string code;  ///< "ok" or a failure's reason
  std::string message;
  std::string remedy;  ///< empty when healthy
  std::map<std::string, std::string> details;
  std::chrono::milliseconds latency{};
  Timestamp checked_at{};
};

/// Something found at the vendor.
struct Resource {
  std::string type;
  std::string id;
  std::string name;
  std::string url;
  std::string parent_id;
  std::map<std::string, std::string> attributes;
};
struct DiscoverRequest {
  std::string resource_type;
  std::string parent_id;  ///< for types below another, as tags are below a repository
  std::string query;      ///< case-insensitive substring of the name; empty: all
};
/// The whole list within the connector's stated bound; the runtime pages it.
struct ResourceList {
  std::vector<Resource> resources;
  bool truncated = false;  ///< the bound was hit: there is more at the vendor
  std::vector<std::string> warnings;
};

struct ResolveRequest {
  std::string image_ref;  ///< "app:v2.3.1", "registry.example/team/app:v1", "app@sha256:…"
  std::string platform;   ///< "linux/arm64"; empty: the digest of what the tag names, an index included
  bool strict = false;    ///< fetch and hash the bytes even where the registry states a digest
};
struct ResolvedDigest {
  std::string image_ref;  ///< normalised
  std::string repository;
  std::string tag;
  std::string digest;
  std::string manifest_type;
  std::int64_t size_bytes = 0;         ///< of the manifest itself
  std::optional<Timestamp> pushed_at;  ///< OCI has none
  std::map<std::string, std::string> details;
};

struct ManifestRequest {
  std::string image_ref;
  std::string platform;
};
struct Manifest {
  std::string image_ref;
  std::string digest;  ///< computed from `bytes`
  std::string media_type;
  std::string bytes;  ///< exactly as received
  struct Platform {
    std::string name;  ///< "linux/arm/v7"
    std::string digest;
    std::int64_t size_bytes = 0;
  };
  std::vector<Platform> platforms;  ///< of an index, attestations left out
};

struct VerifyRequest {
  std::string image_ref;
  std::string digest;
};
struct Verification {
  bool verified = false;
  std::string image_ref;
  std::string expected_digest;
  std::string actual_digest;  ///< computed from the bytes
  std::string code;           ///< "ok", "registry.digest_mismatch"
  std::string message;
};

struct SecretsRequest {
  std::string path;
};
struct SecretRef {
  std::string ref;
  std::map<std::string, std::string> metadata;  ///< never a value
};
struct FetchSecretRequest {
  std::string path;
  std::string field;
  std::map<std::string, std::string> parameters;
};
struct StepRequest {
  std::string step;  ///< "ci.run", "registry.retag", …
  JsonPtr input;
};
struct StepUpdate {
  std::uint64_t sequence = 0;
  std::string execution_id;
  std::string state;  ///< running, succeeded, failed, cancelled
  std::string message;
  JsonPtr output;
};
/// Receives the updates of a running step; an error from it stops the step.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual Task<Result<void>> publish(StepUpdate update) = 0;
};

/// The code that speaks one vendor's API: a pure mapping from requests to what CallContext::http sends, and back. Owns
/// no state but what it is constructed with; one object serves all integrations of its type, from any thread. An
/// operation that is not overridden answers `unsupported`, naming the operation. An Error means the operation failed; a
/// failed *test* or an unhealthy system is a value.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual Task<Result<ConnectionTest>> test_connection(CallContext& call);
  virtual Task<Result<HealthReport>> get_health(CallContext& call);
  virtual Task<Result<ResourceList>> discover_resources(CallContext& call, const DiscoverRequest& request);
  virtual Task<Result<ResourceList>> list_repositories(CallContext& call, const DiscoverRequest& request);
  virtual Task<Result<ResourceList>> list_branches(CallContext& call, const DiscoverRequest& request);
  virtual Task<Result<ResourceList>> list_tags(CallContext& call, const DiscoverRequest& request);
  virtual Task<Result<ResolvedDigest>> resolve_tag_to_digest(CallContext& call, const ResolveRequest& request);
  virtual Task<Result<Manifest>> fetch_manifest(CallContext& call, const ManifestRequest& request);
  virtual Task<Result<Verification>> verify_digest(CallContext& call, const VerifyRequest& request);
  virtual Task<Result<std::vector<SecretRef>>> get_secrets_ref(CallContext& call, const SecretsRequest& request);
  virtual Task<Result<SecretPtr>> fetch_secret(CallContext& call, const FetchSecretRequest& request);
  virtual Task<Result<void>> execute_step(CallContext& call, const StepRequest& request, StepSink& sink);
  virtual Task<Result<void>> cancel_step(CallContext& call, const std::string& execution_id);
};

/// Builds the ordered steps of a connection test out of what VendorHttp did: dns, tcp, tls (skipped for plain http) and
/// http from the timings of an exchange, or up to the failure. Connectors append authentication and capability. Pure.
std::vector<TestStep> transport_steps(const HttpTimings& timings, bool tls);
std::vector<TestStep> transport_steps(const HttpFailure& failure, bool tls);
/// Sets success, error_message and latency from the steps; fills the missing later steps as skipped. Pure.
void conclude(ConnectionTest& test);

}  // namespace inthub
