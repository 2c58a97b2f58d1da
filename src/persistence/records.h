#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/json.h"

namespace inthub {

/// What is stored, in domain types. Values; JsonPtr fields are never null. `health` is one of the words of the
/// specification: unknown, healthy, degraded, unhealthy.
struct Tenant {
  TenantId id;
  std::string name;
  Timestamp created_at{};
};
struct User {
  UserId id;
  TenantId tenant;
  std::string name;
  Timestamp created_at{};
};

struct Integration {
  IntegrationId id;
  TenantId tenant;
  std::string type;
  std::string name;
  JsonPtr config;
  CredentialId credential_id;
  std::string credential_ref;  ///< canonical authref:// text
  std::int64_t revision = 1;   ///< grows by one with every change of name, config or credential
  std::string health = "unknown";
  JsonPtr health_detail;  ///< {"code","message","remedy","latencyMs"} of the last check, or {}
  std::optional<Timestamp> last_health_check;
  Timestamp created_at{};
  Timestamp updated_at{};
  UserId created_by;
};

/// An entry of IntegrationCredential (specification, reading 3). Secret bytes only ever as `sealed`.
struct Credential {
  CredentialId id;
  TenantId tenant;
  std::string ref;
  std::string sealed;  ///< empty unless the ref is authref://local/…; opaque to this room
  std::string key_id;  ///< of the master key that sealed it
  Timestamp created_at{};
  std::optional<Timestamp> rotated_at;
};

/// Row of integration_types.
struct IntegrationTypeRow {
  std::string id;
  std::string display_name;
  std::string description;
  std::string icon_url;
  JsonPtr config_schema;
  std::vector<std::string> capabilities;
};

/// An API token. The token itself is never stored.
struct ApiToken {
  TokenId id;
  TenantId tenant;
  UserId user;
  std::string name;
  std::string sha256;  ///< raw 32 bytes
  std::vector<std::string> permissions;
  Timestamp created_at{};
  std::optional<Timestamp> expires_at;
};

/// Outbox entry: a CloudEvents 1.0 document and its place in the log.
struct Event {
  std::int64_t sequence = 0;  ///< assigned on insert, strictly ascending
  EventId id;
  TenantId tenant;
  std::string type;     ///< "integration.created"
  std::string subject;  ///< the integration's id
  JsonPtr document;     ///< the whole CloudEvent
  Timestamp occurred_at{};
};

/// What a POST with an Idempotency-Key answered.
struct IdempotencyRecord {
  TenantId tenant;
  std::string key;
  std::string request_sha256;  ///< raw 32 bytes over method, path and body
  int status = 0;
  std::string body;
  std::string location;
  Timestamp created_at{};
};

}  // namespace inthub
