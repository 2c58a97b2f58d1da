#include "persistence/sqlite/changes.h"

#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

namespace inthub::sqlite {
namespace {

Error taken(std::string reason, std::string message, std::string field, std::string remedy) {
  return Error(ErrorCode::conflict, std::move(message))
      .with_reason(std::move(reason))
      .with_field(std::move(field))
      .with_remedy(std::move(remedy));
}

Error id_taken(std::string_view what) {
  return Error(ErrorCode::conflict, fmt::format("{} with this id already exists", what)).with_reason("store.id_taken");
}

Error name_taken(std::string_view kind, const std::string& name) {
  return taken(fmt::format("{}.name_taken", kind), fmt::format("the name \"{}\" is already taken", name), "/name",
               fmt::format("choose another name, or change the existing {}", kind));
}

Error unknown_reference(std::string_view what) {
  return Error(ErrorCode::validation_failed, fmt::format("{} does not exist", what))
      .with_reason("store.unknown_reference");
}

bool is_duplicate(const Statement& statement) {
  return statement.constraint() == SQLITE_CONSTRAINT_UNIQUE || statement.constraint() == SQLITE_CONSTRAINT_PRIMARYKEY;
}
bool is_duplicate_of(const Statement& statement, std::string_view column) {
  return is_duplicate(statement) && statement.constraint_text().ends_with(column);
}
bool is_missing_reference(const Statement& statement) {
  return statement.constraint() == SQLITE_CONSTRAINT_FOREIGNKEY;
}

/// Runs a statement whose constraint failures `explain` turns into the caller's words; nullopt keeps the general error.
template <class Explain>
Result<void> run(Connection& connection, std::string_view sql, const auto& bind, const Explain& explain) {
  Result<Statement> statement = connection.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  bind(*statement);
  Result<void> done = statement->run();
  if (!done && statement->constraint() != 0) {
    if (std::optional<Error> error = explain(*statement)) return fail(std::move(*error));
  }
  return done;
}

std::string text_of(const std::vector<std::string>& words) {
  return to_text(Json(words));
}

/// Null for the nil id: an integration without an entry of its own in `credentials`.
std::optional<CredentialId> reference_to(CredentialId id) {
  return id.is_nil() ? std::nullopt : std::optional(id);
}

Result<bool> exists(Connection& connection, std::string_view sql, std::string_view id) {
  Result<Statement> statement = connection.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  return statement->bind(id).step();
}

/// SQLite does not say which foreign key failed.
Result<void> explain_integration_reference(Connection& connection, const Integration& integration) {
  const Result<bool> has_type = exists(connection, "SELECT 1 FROM integration_types WHERE id = ?", integration.type);
  if (!has_type) return fail(has_type.error());
  if (!*has_type) {
    return fail(
        Error(ErrorCode::validation_failed, fmt::format("integration type \"{}\" does not exist", integration.type))
            .with_reason("integration.type_unknown")
            .with_field("/type")
            .with_violations({{.field = "/type",
                               .message = "must be one of the types that GET /api/v1/integration-types lists",
                               .code = "unknown_type"}})
            .with_remedy("GET /api/v1/integration-types lists the types"));
  }
  return fail(unknown_reference("the tenant or the user of the integration"));
}

Result<void> apply_change(Connection& connection, const InsertTenant& change) {
  const Tenant& tenant = change.tenant;
  return run(
      connection, "INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?)",
      [&](Statement& statement) { statement.bind(tenant.id, tenant.name, tenant.created_at); },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate_of(statement, ".name")) return name_taken("tenant", tenant.name);
        if (is_duplicate(statement)) return id_taken("a tenant");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const InsertUser& change) {
  const User& user = change.user;
  return run(
      connection, "INSERT INTO users (id, tenant_id, name, created_at) VALUES (?, ?, ?, ?)",
      [&](Statement& statement) { statement.bind(user.id, user.tenant, user.name, user.created_at); },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate_of(statement, ".name")) return name_taken("user", user.name);
        if (is_duplicate(statement)) return id_taken("a user");
        if (is_missing_reference(statement)) return unknown_reference("the user's tenant");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const InsertIntegration& change) {
  const Integration& row = change.integration;
  bool missing_reference = false;
  Result<void> done = run(
      connection,
      "INSERT INTO integrations (id, tenant_id, type_id, name, config, credential_ref, credential_id, revision, "
      "health_status, "
      "health_detail, last_health_check, created_at, updated_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?)",
      [&](Statement& statement) {
        statement.bind(row.id, row.tenant, row.type, row.name, row.config, row.credential_ref,
                       reference_to(row.credential_id), row.revision, row.health, row.health_detail,
                       row.last_health_check, row.created_at, row.updated_at, row.created_by);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        missing_reference = is_missing_reference(statement);
        if (is_duplicate_of(statement, ".name")) return name_taken("integration", row.name);
        if (is_duplicate(statement)) return id_taken("an integration");
        return std::nullopt;
      });
  if (missing_reference) return explain_integration_reference(connection, row);
  return done;
}

/// Why an UPDATE or DELETE with a revision in its WHERE clause changed no row.
Result<void> explain_untouched(Connection& connection, TenantId tenant, IntegrationId id, std::int64_t expected) {
  Result<Statement> statement = connection.prepare("SELECT revision FROM integrations WHERE id = ? AND tenant_id = ?");
  if (!statement) return fail(std::move(statement).error());
  const Result<bool> row = statement->bind(id, tenant).step();
  if (!row) return fail(row.error());
  if (!*row) {
    return fail(Error(ErrorCode::not_found, fmt::format("no integration has the id {}", id.to_string()))
                    .with_reason("integration.not_found"));
  }
  return fail(
      Error(ErrorCode::stale_revision,
            fmt::format("the integration has revision {}, not {}", statement->integer(0), expected))
          .with_reason("integration.stale_revision")
          .with_detail("revision", std::to_string(statement->integer(0)))
          .with_remedy("read the integration again, repeat the change on what it says now, and send its new ETag"));
}

Result<void> apply_change(Connection& connection, const UpdateIntegration& change) {
  const Integration& row = change.integration;
  Result<void> done = run(
      connection,
      "UPDATE integrations SET name = ?, config = ?, credential_ref = ?, credential_id = ?, updated_at = ?, revision = "
      "revision + 1 "
      "WHERE id = ? AND tenant_id = ? AND revision = ?",
      [&](Statement& statement) {
        statement.bind(row.name, row.config, row.credential_ref, reference_to(row.credential_id), row.updated_at,
                       row.id, row.tenant, change.expected);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate_of(statement, ".name")) return name_taken("integration", row.name);
        return std::nullopt;
      });
  if (done && connection.changes() == 0) return explain_untouched(connection, row.tenant, row.id, change.expected);
  return done;
}

Result<void> apply_change(Connection& connection, const DeleteIntegration& change) {
  Result<Statement> statement =
      connection.prepare("DELETE FROM integrations WHERE id = ?1 AND tenant_id = ?2 AND (?3 IS NULL OR revision = ?3)");
  if (!statement) return fail(std::move(statement).error());
  Result<void> done = statement->bind(change.id, change.tenant, change.expected).run();
  if (done && connection.changes() == 0) {
    return explain_untouched(connection, change.tenant, change.id, change.expected.value_or(0));
  }
  return done;
}

Result<void> apply_change(Connection& connection, const RecordHealth& change) {
  Result<Statement> statement = connection.prepare(
      "UPDATE integrations SET health_status = ?, health_detail = ?, last_health_check = ? "
      "WHERE id = ? AND tenant_id = ? AND revision = ?");
  if (!statement) return fail(std::move(statement).error());
  return statement->bind(change.health, change.detail, change.checked_at, change.id, change.tenant, change.revision)
      .run();
}

Result<void> apply_change(Connection& connection, const InsertCredential& change) {
  const Credential& row = change.credential;
  return run(
      connection,
      "INSERT INTO credentials (id, tenant_id, ref, sealed, key_id, created_at, rotated_at) VALUES (?, ?, ?, ?, ?, ?, "
      "?)",
      [&](Statement& statement) {
        statement.bind(row.id, row.tenant, row.ref, Blob{row.sealed}, row.key_id, row.created_at, row.rotated_at);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate(statement)) return id_taken("a credential");
        if (is_missing_reference(statement)) return unknown_reference("the credential's tenant");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const DeleteCredential& change) {
  Result<Statement> statement = connection.prepare("DELETE FROM credentials WHERE tenant_id = ? AND id = ?");
  if (!statement) return fail(std::move(statement).error());
  return statement->bind(change.tenant, change.id).run();
}

Result<void> apply_change(Connection& connection, const InsertToken& change) {
  const ApiToken& row = change.token;
  return run(
      connection,
      "INSERT INTO tokens (id, tenant_id, user_id, name, sha256, permissions, created_at, expires_at) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      [&](Statement& statement) {
        statement.bind(row.id, row.tenant, row.user, row.name, Blob{row.sha256}, text_of(row.permissions),
                       row.created_at, row.expires_at);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate(statement)) return id_taken("a token");
        if (is_missing_reference(statement)) return unknown_reference("the token's tenant or user");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const AppendEvent& change) {
  const Event& row = change.event;
  return run(
      connection, "INSERT INTO events (id, tenant_id, type, subject, document, occurred_at) VALUES (?, ?, ?, ?, ?, ?)",
      [&](Statement& statement) {
        statement.bind(row.id, row.tenant, row.type, row.subject, row.document, row.occurred_at);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate(statement)) return id_taken("an event");
        if (is_missing_reference(statement)) return unknown_reference("the event's tenant");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const InsertIdempotency& change) {
  const IdempotencyRecord& row = change.record;
  return run(
      connection,
      "INSERT INTO idempotency_keys (tenant_id, key, request_sha256, status, body, location, created_at) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      [&](Statement& statement) {
        statement.bind(row.tenant, row.key, Blob{row.request_sha256}, row.status, row.body, row.location,
                       row.created_at);
      },
      [&](const Statement& statement) -> std::optional<Error> {
        if (is_duplicate(statement)) {
          return taken("idempotency.key_taken", "this Idempotency-Key has been used", "",
                       "repeat the request to get the first answer");
        }
        if (is_missing_reference(statement)) return unknown_reference("the record's tenant");
        return std::nullopt;
      });
}

Result<void> apply_change(Connection& connection, const UpsertIntegrationType& change) {
  const IntegrationTypeRow& row = change.type;
  Result<Statement> statement = connection.prepare(
      "INSERT INTO integration_types (id, display_name, description, icon_url, config_schema, capabilities) VALUES (?, "
      "?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, description = excluded.description, "
      "icon_url = excluded.icon_url, config_schema = excluded.config_schema, capabilities = excluded.capabilities");
  if (!statement) return fail(std::move(statement).error());
  return statement
      ->bind(row.id, row.display_name, row.description, row.icon_url, row.config_schema, text_of(row.capabilities))
      .run();
}

}  // namespace

Result<void> apply(Connection& connection, const Transaction& transaction) {
  for (const Change& change : transaction.changes()) {
    Result<void> applied = std::visit([&](const auto& kind) { return apply_change(connection, kind); }, change);
    if (!applied) return applied;
  }
  if (connection.has_open_references()) {
    return fail(
        Error(ErrorCode::conflict, "an integration's credential does not exist, or a credential is still in use")
            .with_reason("credential.in_use")
            .with_remedy("store the credential in the same transaction, and delete it only with its last integration"));
  }
  return {};
}

Result<std::int64_t> expire_idempotency(Connection& connection, Timestamp before, int limit) {
  Result<Statement> statement = connection.prepare(
      "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE created_at < ? ORDER BY "
      "created_at LIMIT ?)");
  if (!statement) return fail(std::move(statement).error());
  if (Result<void> done = statement->bind(before, limit).run(); !done) return fail(std::move(done).error());
  return connection.changes();
}

Result<void> write_probe(Connection& connection) {
  Result<Statement> statement = connection.prepare("UPDATE write_probe SET count = count + 1 WHERE id = 1");
  if (!statement) return fail(std::move(statement).error());
  return statement->run();
}

}  // namespace inthub::sqlite
