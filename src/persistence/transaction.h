#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "persistence/records.h"

namespace inthub {

// A change is described, then committed as a whole: the description crosses to the database thread, several of them
// share one fsync (group commit), and no lock or connection is ever held across a suspension of the caller.

// Every change may fail with conflict, reason "store.id_taken", when its id exists, and with validation_failed, reason
// "store.unknown_reference", when its tenant or user does not. A transaction fails with conflict, reason
// "credential.in_use", when at its end an integration names a credential of its tenant that is not stored; a nil
// credential id names none.

/// Fails with conflict, reason "tenant.name_taken", when the name is taken.
struct InsertTenant {
  Tenant tenant;
};
/// Fails with conflict, reason "user.name_taken", when (tenant, name) is taken.
struct InsertUser {
  User user;
};
/// Fails with conflict, reason "integration.name_taken", when (tenant, name) is taken, and with validation_failed,
/// reason "integration.type_unknown", when the type is not stored.
struct InsertIntegration {
  Integration integration;
};
/// Replaces name, config, credential, updated_at. Fails with not_found, with stale_revision unless the stored revision
/// is `expected`, and with conflict when the new name is taken. The stored revision becomes `expected + 1`.
struct UpdateIntegration {
  Integration integration;
  std::int64_t expected = 0;
};
/// Fails with not_found, and with stale_revision when `expected` is given and differs.
struct DeleteIntegration {
  TenantId tenant;
  IntegrationId id;
  std::optional<std::int64_t> expected;
};
/// Does not touch the revision. Ignored when the integration is gone or its revision is not `revision`.
struct RecordHealth {
  TenantId tenant;
  IntegrationId id;
  std::int64_t revision = 0;
  std::string health;
  JsonPtr detail;
  Timestamp checked_at{};
};
struct InsertCredential {
  Credential credential;
};
/// Ignored when it does not exist.
struct DeleteCredential {
  TenantId tenant;
  CredentialId id;
};
struct InsertToken {
  ApiToken token;
};
struct AppendEvent {
  Event event;  ///< `sequence` is ignored
};
/// Fails with conflict, reason "idempotency.key_taken", when (tenant, key) exists.
struct InsertIdempotency {
  IdempotencyRecord record;
};
/// Insert or replace, by id.
struct UpsertIntegrationType {
  IntegrationTypeRow type;
};

using Change = std::variant<InsertTenant, InsertUser, InsertIntegration, UpdateIntegration, DeleteIntegration,
                            RecordHealth, InsertCredential, DeleteCredential, InsertToken, AppendEvent,
                            InsertIdempotency, UpsertIntegrationType>;

/// Changes that are committed together, in order, or not at all.
class Transaction {
 public:
  template <class C>
  Transaction& add(C change) {
    changes_.emplace_back(std::move(change));
    return *this;
  }
  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }

 private:
  std::vector<Change> changes_;
};

}  // namespace inthub
