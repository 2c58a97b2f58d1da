#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "foundation/result.h"
#include "persistence/sqlite/connection.h"
#include "persistence/store.h"

namespace inthub::sqlite {

// The reads behind the repositories. Each leaves no statement open, so that no snapshot keeps the WAL from beginning
// again.

Result<Integration> find_integration(Connection& connection, TenantId tenant, IntegrationId id);
Result<Integration> find_integration_by_name(Connection& connection, TenantId tenant, const std::string& name);
/// Items and total come from one snapshot.
Result<IntegrationPage> list_integrations(Connection& connection, TenantId tenant, const IntegrationFilter& filter,
                                          const Page& page);
Result<std::vector<PollTarget>> poll_targets(Connection& connection, IntegrationId after, int limit);
Result<Credential> find_credential(Connection& connection, TenantId tenant, CredentialId id);
Result<std::vector<ApiToken>> all_tokens(Connection& connection);
Result<std::vector<Event>> list_events(Connection& connection, TenantId tenant, std::int64_t after, int limit);
Result<std::optional<IdempotencyRecord>> find_idempotency(Connection& connection, TenantId tenant,
                                                          const std::string& key);
Result<std::vector<Tenant>> all_tenants(Connection& connection);
Result<std::vector<User>> users_of(Connection& connection, TenantId tenant);

}  // namespace inthub::sqlite
