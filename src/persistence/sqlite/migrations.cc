#include "persistence/sqlite/migrations.h"

#include <array>
#include <string>

#include <fmt/format.h>

#include "foundation/log.h"

namespace inthub::sqlite {
namespace {

// Conventions of the schema.
//   ids      TEXT in the 36-character form. A 16-byte BLOB would save 20 bytes per id and index entry, but then neither
//   the sqlite3
//            shell nor a support ticket shows an id as the API and the log write it. Lower-case text sorts as the bytes
//            do.
//   times    INTEGER, milliseconds since 1970-01-01 UTC: sortable and without a format to agree on.
//   JSON     TEXT with a CHECK, so that a row is always readable by json_extract() in the shell.
//   STRICT   so that a column holds what its type says.

constexpr const char* kTables = R"sql(
CREATE TABLE tenants (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  id TEXT PRIMARY KEY NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (tenant_id, name)
) STRICT;

CREATE TABLE plugins (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  version TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE integration_types (
  id TEXT PRIMARY KEY NOT NULL,
  plugin_id TEXT REFERENCES plugins(id),
  display_name TEXT NOT NULL,
  description TEXT,
  icon_url TEXT,
  config_schema TEXT NOT NULL CHECK (json_valid(config_schema)),
  capabilities TEXT NOT NULL CHECK (json_valid(capabilities) AND json_type(capabilities) = 'array'),
  created_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER) * 1000)
) STRICT;

-- The tenant is part of the key, so that a reference cannot cross tenants.
CREATE TABLE credentials (
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  id TEXT NOT NULL,
  ref TEXT NOT NULL,
  sealed BLOB NOT NULL,
  key_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  rotated_at INTEGER,
  PRIMARY KEY (tenant_id, id)
) STRICT;

-- credential_id is checked at the end of a change, so that a credential and its integration may come and go in either order.
CREATE TABLE integrations (
  id TEXT PRIMARY KEY NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  type_id TEXT NOT NULL REFERENCES integration_types(id),
  name TEXT NOT NULL,
  config TEXT NOT NULL CHECK (json_valid(config)),
  credential_ref TEXT NOT NULL,
  credential_id TEXT,
  revision INTEGER NOT NULL DEFAULT 1,
  health_status TEXT NOT NULL DEFAULT 'unknown' CHECK (health_status IN ('unknown', 'healthy', 'degraded', 'unhealthy')),
  health_detail TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(health_detail)),
  last_health_check INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  created_by TEXT NOT NULL REFERENCES users(id),
  UNIQUE (tenant_id, name),
  FOREIGN KEY (tenant_id, credential_id) REFERENCES credentials(tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX idx_integrations_credential ON integrations(tenant_id, credential_id);

CREATE TABLE connection_profiles (
  id TEXT PRIMARY KEY NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  name TEXT NOT NULL,
  integration_type TEXT NOT NULL,
  default_config TEXT NOT NULL CHECK (json_valid(default_config)),
  is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
  last_used_at INTEGER,
  created_by TEXT NOT NULL REFERENCES users(id),
  created_at INTEGER NOT NULL,
  UNIQUE (tenant_id, name)
) STRICT;

CREATE TABLE doctor_checks (
  id TEXT PRIMARY KEY NOT NULL,
  integration_id TEXT NOT NULL REFERENCES integrations(id) ON DELETE CASCADE,
  check_type TEXT NOT NULL,
  status TEXT NOT NULL,
  message TEXT,
  details TEXT CHECK (details IS NULL OR json_valid(details)),
  duration_ms INTEGER NOT NULL,
  run_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_doctor_checks_integration ON doctor_checks(integration_id, run_at DESC);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  user_id TEXT NOT NULL REFERENCES users(id),
  name TEXT NOT NULL,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  permissions TEXT NOT NULL CHECK (json_valid(permissions) AND json_type(permissions) = 'array'),
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) STRICT;

-- AUTOINCREMENT: a sequence number is never given twice, even after the newest events were deleted.
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  document TEXT NOT NULL CHECK (json_valid(document)),
  occurred_at INTEGER NOT NULL
) STRICT;
-- Index entries of one tenant are in sequence order, because the sequence is the rowid.
CREATE INDEX idx_events_tenant ON events(tenant_id);

CREATE TABLE idempotency_keys (
  tenant_id TEXT NOT NULL REFERENCES tenants(id),
  key TEXT NOT NULL,
  request_sha256 BLOB NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  location TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, key)
) STRICT;
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys(created_at);

-- One row that the readiness check writes: the only proof that a write succeeds is one.
CREATE TABLE write_probe (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  count INTEGER NOT NULL
) STRICT;
INSERT INTO write_probe (id, count) VALUES (1, 0);
)sql";

// A list costs the same among 100,000 integrations as among ten: each sort order has an index that also holds the
// columns a filter looks at, and the totals are counted when rows change instead of when they are listed.
constexpr const char* kLists = R"sql(
CREATE INDEX idx_integrations_by_name ON integrations(tenant_id, name COLLATE NOCASE, id, type_id, health_status);
CREATE INDEX idx_integrations_by_created ON integrations(tenant_id, created_at, id, type_id, health_status);
CREATE INDEX idx_integrations_by_updated ON integrations(tenant_id, updated_at, id, type_id, health_status);
CREATE INDEX idx_integrations_by_type ON integrations(tenant_id, type_id, health_status);
CREATE INDEX idx_integrations_by_health ON integrations(tenant_id, health_status);

CREATE TABLE integration_counts (
  tenant_id TEXT NOT NULL,
  type_id TEXT NOT NULL,
  health_status TEXT NOT NULL,
  total INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, type_id, health_status)
) STRICT, WITHOUT ROWID;
INSERT INTO integration_counts (tenant_id, type_id, health_status, total)
  SELECT tenant_id, type_id, health_status, count(*) FROM integrations GROUP BY tenant_id, type_id, health_status;

CREATE TRIGGER integrations_count_inserted AFTER INSERT ON integrations BEGIN
  INSERT INTO integration_counts VALUES (new.tenant_id, new.type_id, new.health_status, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;
CREATE TRIGGER integrations_count_deleted AFTER DELETE ON integrations BEGIN
  UPDATE integration_counts SET total = total - 1
    WHERE tenant_id = old.tenant_id AND type_id = old.type_id AND health_status = old.health_status;
END;
CREATE TRIGGER integrations_count_updated AFTER UPDATE OF health_status ON integrations
WHEN old.health_status <> new.health_status BEGIN
  UPDATE integration_counts SET total = total - 1
    WHERE tenant_id = old.tenant_id AND type_id = old.type_id AND health_status = old.health_status;
  INSERT INTO integration_counts VALUES (new.tenant_id, new.type_id, new.health_status, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;
)sql";

constexpr std::array kMigrations{
    Migration{1, "tables", kTables},
    Migration{2, "lists of constant cost", kLists},
};

/// Refuses a database that belongs to another program before a byte of it is changed.
Result<void> check_identity(Connection& connection, std::int64_t version) {
  const Result<std::int64_t> application = connection.number("PRAGMA application_id");
  if (!application) return fail(application.error());
  if (*application == kApplicationId) return {};
  const Result<std::int64_t> objects = connection.number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return fail(objects.error());
  if (*application == 0 && version == 0 && *objects == 0) return {};
  return fail(Error(ErrorCode::internal,
                    fmt::format("inthub.db in {} is a database of another program", connection.directory().string()))
                  .with_reason("store.foreign")
                  .with_remedy("name an empty directory, or the hub's own, as the data directory"));
}

Result<void> apply(Connection& connection, const Migration& migration) {
  if (Result<void> begun = connection.execute("BEGIN EXCLUSIVE"); !begun) return begun;
  const std::string record =
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplicationId, migration.version);
  Result<void> done = connection.execute(migration.sql);
  if (done) done = connection.execute(record.c_str());
  if (done) done = connection.execute("COMMIT");
  if (!done && connection.in_transaction()) {
    // The first failure is the one to report.
    if (const Result<void> undone = connection.execute("ROLLBACK"); !undone) {
      log::error("the database could not undo a failed migration", {{"error", undone.error().message()}});
    }
  }
  return done;
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}
std::int64_t newest_version() {
  return kMigrations.back().version;
}

Result<void> migrate(Connection& connection, std::int64_t target) {
  const Result<std::int64_t> version = connection.number("PRAGMA user_version");
  if (!version) return fail(version.error());
  if (Result<void> ours = check_identity(connection, *version); !ours) return ours;
  if (*version > newest_version()) {
    return fail(
        Error(ErrorCode::internal,
              fmt::format("the database in {} has schema version {}, but this binary knows versions up to {}",
                          connection.directory().string(), *version, newest_version()))
            .with_reason("store.newer_schema")
            .with_detail("databaseVersion", std::to_string(*version))
            .with_detail("knownVersion", std::to_string(newest_version()))
            .with_remedy("start the newer inthub that migrated it, or restore the backup made before the upgrade"));
  }
  for (const Migration& migration : kMigrations) {
    if (migration.version <= *version || migration.version > target) continue;
    if (Result<void> applied = apply(connection, migration); !applied) {
      return fail(applied.error().with_context(
          fmt::format("migrate the database to version {} ({})", migration.version, migration.name)));
    }
  }
  if (*version < target) {
    log::info(*version == 0 ? "database created" : "database migrated",
              {{"from", std::to_string(*version)}, {"to", std::to_string(target)}});
  }
  return {};
}

}  // namespace inthub::sqlite
