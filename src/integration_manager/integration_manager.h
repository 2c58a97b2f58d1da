#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/principal.h"
#include "connector_runtime/connector_runtime.h"
#include "foundation/result.h"
#include "foundation/secret.h"
#include "foundation/task.h"
#include "persistence/store.h"

namespace inthub {

class SecretSealer;

/// A credential as a caller gives it: a ref, or a secret that is sealed at once. Neither: on create the ref
/// authref://none, on update the credential stays as it is.
struct CredentialInput {
  std::string ref;
  SecretPtr secret;
  bool given() const { return !ref.empty() || secret; }
};
struct IntegrationInput {
  std::string type;
  std::string name;
  JsonPtr config;
  CredentialInput credential;
};
/// Makes a POST safe to repeat: the record is stored in the same transaction as the integration.
struct Idempotency {
  std::string key;
  std::string request_sha256;
};

/// The read model's entry: what the hot paths need without the database. `json` is the rendered API entity.
struct IntegrationView {
  Integration integration;
  std::string json;
  std::string etag;  ///< "\"<revision>\"", quoted as in a header
};
using IntegrationViewPtr = std::shared_ptr<const IntegrationView>;

/// Renders an integration as the API shows it: id, tenantId, type, name, config, credentialId, credentialRef,
/// healthStatus, health, lastHealthCheck, createdAt, updatedAt, createdBy, revision. Pure.
std::string render_integration(const Integration& integration);

/// The domain module: validates, stores, announces. Thread-safe; the tenant is always the principal's.
class IntegrationManager {
 public:
  struct Dependencies {
    Store& store;
    const ConnectorRegistry& connectors;
    ConnectorRuntime& runtime;
    SecretSealer& sealer;
    const Clock& clock;
    RandomSource& random;
    Metrics& metrics;
  };
  /// Errors: internal when a registered type's config schema does not compile.
  static Result<std::unique_ptr<IntegrationManager>> make(Dependencies dependencies);
  ~IntegrationManager();

  /// Every violation of the type's JSON Schema and of the rules beside it, with pointers into
  /// {type,name,config,credentials}. Empty when `input` could be stored. Pure.
  std::vector<Violation> validate(const IntegrationInput& input) const;

  /// A warm read model's entry without suspending; null when it must be loaded with get().
  IntegrationViewPtr find_cached(TenantId tenant, IntegrationId id) const;
  Task<Result<IntegrationViewPtr>> get(TenantId tenant, IntegrationId id);
  /// By id or, failing that, by name.
  Task<Result<IntegrationViewPtr>> get(TenantId tenant, std::string id_or_name);
  Task<Result<IntegrationPage>> list(TenantId tenant, IntegrationFilter filter, Page page);

  /// Errors: validation_failed with violations, conflict (name taken), conflict reason "idempotency.key_reused" for the
  /// same key with another request. `replayed` is set when the key had been used for the same request.
  struct Created {
    IntegrationViewPtr view;
    bool replayed = false;
  };
  Task<Result<Created>> create(Principal principal, IntegrationInput input, std::optional<Idempotency> idempotency);
  /// `expected`: from If-Match; without it the last writer wins. The type cannot change.
  Task<Result<IntegrationViewPtr>> update(Principal principal, IntegrationId id, IntegrationInput input,
                                          std::optional<std::int64_t> expected);
  Task<Result<void>> remove(Principal principal, IntegrationId id, std::optional<std::int64_t> expected);

  Task<Result<Answer<ConnectionTest>>> test(TenantId tenant, IntegrationId id, CallOptions options);
  /// Tests a draft; nothing is saved. Errors: validation_failed.
  Task<Result<Answer<ConnectionTest>>> test_draft(Principal principal, IntegrationInput input, CallOptions options);
  /// The live or cached report; a live one is also recorded (see record_health).
  Task<Result<Answer<HealthReport>>> health(TenantId tenant, IntegrationId id, CallOptions options);
  Task<Result<Answer<ResourceList>>> discover(TenantId tenant, IntegrationId id, DiscoverRequest request,
                                              CallOptions options);
  Task<Result<Answer<ResolvedDigest>>> resolve(TenantId tenant, IntegrationId id, ResolveRequest request,
                                               CallOptions options);
  Task<Result<Answer<Manifest>>> manifest(TenantId tenant, IntegrationId id, ManifestRequest request,
                                          CallOptions options);
  Task<Result<Answer<Verification>>> verify(TenantId tenant, IntegrationId id, VerifyRequest request,
                                            CallOptions options);

  /// Stores a checked state. The stored status changes when two of the last three observations agree on the new one
  /// (the first observation counts at once), and a change appends integration.health_changed in the same transaction.
  Task<Result<void>> record_health(Integration integration, std::shared_ptr<const HealthReport> report);
  /// A live check of a stored integration, past the caches, and recorded: what the poller does. Errors: not_found.
  Task<Result<std::shared_ptr<const HealthReport>>> poll(TenantId tenant, IntegrationId id, CallOptions options);

  enum class Change : std::uint8_t { created, updated, removed };
  /// Called on the changing request's thread after the commit. Set once, before requests arrive; must not block.
  using ChangeListener = std::function<void(TenantId, IntegrationId, Change)>;
  void set_change_listener(ChangeListener listener);

 private:
  struct Impl;
  explicit IntegrationManager(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
