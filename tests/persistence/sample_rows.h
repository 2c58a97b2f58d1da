#pragma once

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "foundation/clock.h"
#include "persistence/store.h"
#include "persistence/transaction.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"

namespace inthub::testing_support {

/// Makes rows that belong together: one tenant, its user, three integration types, and integrations with their
/// credential and event.
class SampleRows {
 public:
  explicit SampleRows(std::uint64_t seed = 1) : random_(seed) {
    tenant = new_id<TenantId>();
    user = new_id<UserId>();
  }

  TenantId tenant;
  UserId user;

  template <class Id>
  Id new_id() {
    return Id(Uuid::make(clock_, random_));
  }
  FakeClock& clock() { return clock_; }
  FixedRandom& random() { return random_; }

  /// What every integration refers to: types (scm.github, registry.oci, registry.harbor), tenant, user.
  Transaction foundation() {
    Transaction transaction = types();
    transaction.add(InsertTenant{{.id = tenant, .name = "tenant " + tenant.to_string(), .created_at = clock_.now()}});
    transaction.add(InsertUser{{.id = user, .tenant = tenant, .name = "somebody", .created_at = clock_.now()}});
    return transaction;
  }
  /// The types again, without tenant and user.
  static Transaction types() {
    Transaction transaction;
    for (const std::string type : {"registry.harbor", "registry.oci", "scm.github"}) {
      transaction.add(UpsertIntegrationType{{.id = type,
                                             .display_name = type,
                                             .description = "",
                                             .icon_url = "",
                                             .config_schema = share(Json::object()),
                                             .capabilities = {"repos", "tags"}}});
    }
    return transaction;
  }
  Integration integration(std::string name, std::string type = "registry.oci") {
    return {.id = new_id<IntegrationId>(),
            .tenant = tenant,
            .type = std::move(type),
            .name = std::move(name),
            .config = share(Json{{"endpoint", "https://registry.example"}, {"timeout", 30}}),
            .credential_id = new_id<CredentialId>(),
            .credential_ref = "authref://none",
            .revision = 1,
            .health = "unknown",
            .health_detail = share(Json::object()),
            .last_health_check = std::nullopt,
            .created_at = clock_.now(),
            .updated_at = clock_.now(),
            .created_by = user};
  }
  Credential credential(CredentialId id) {
    return {.id = id,
            .tenant = tenant,
            .ref = "authref://none",
            .sealed = {},
            .key_id = {},
            .created_at = clock_.now(),
            .rotated_at = std::nullopt};
  }
  Event event(std::string type, std::string subject) {
    const auto id = new_id<EventId>();
    return {
        .sequence = 0,
        .id = id,
        .tenant = tenant,
        .type = type,
        .subject = subject,
        .document = share(Json{{"specversion", "1.0"}, {"id", id.to_string()}, {"type", type}, {"subject", subject}}),
        .occurred_at = clock_.now()};
  }
  IdempotencyRecord idempotency(std::string key) {
    return {.tenant = tenant,
            .key = std::move(key),
            .request_sha256 = std::string(32, 'h'),
            .status = 201,
            .body = R"({"success":true})",
            .location = "/api/v1/integrations/1",
            .created_at = clock_.now()};
  }
  /// An integration, its credential and the event integration.created, as one creation stores them.
  Transaction creation(const Integration& row) {
    Transaction transaction;
    transaction.add(InsertCredential{credential(row.credential_id)})
        .add(InsertIntegration{row})
        .add(AppendEvent{event("integration.created", row.id.to_string())});
    return transaction;
  }

 private:
  FakeClock clock_;
  FixedRandom random_;
};

/// A transaction of one change.
template <class C>
Transaction just(C change) {
  Transaction transaction;
  transaction.add(std::move(change));
  return transaction;
}

}  // namespace inthub::testing_support
