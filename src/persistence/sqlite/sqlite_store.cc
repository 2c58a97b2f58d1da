#include "persistence/sqlite/sqlite_store.h"

#include "foundation/metrics.h"
#include "persistence/sqlite/changes.h"
#include "persistence/sqlite/data_directory.h"
#include "persistence/sqlite/database_threads.h"
#include "persistence/sqlite/migrations.h"
#include "persistence/sqlite/queries.h"

namespace inthub {
namespace {

using sqlite::Connection;
using sqlite::Readers;
using sqlite::Writer;

/// Idempotency records deleted in one change, so that forgetting many does not hold up the commits of others.
constexpr int kExpiredPerChange = 1'000;

class SqliteIntegrations final : public IntegrationRepository {
 public:
  explicit SqliteIntegrations(Readers& readers) : readers_(readers) {}
  Task<Result<Integration>> find(TenantId tenant, IntegrationId id) override {
    return readers_.read<Integration>(
        [=](Connection& connection) { return sqlite::find_integration(connection, tenant, id); });
  }
  Task<Result<Integration>> find_by_name(TenantId tenant, std::string name) override {
    return readers_.read<Integration>([tenant, name = std::move(name)](Connection& connection) {
      return sqlite::find_integration_by_name(connection, tenant, name);
    });
  }
  Task<Result<IntegrationPage>> list(TenantId tenant, IntegrationFilter filter, Page page) override {
    return readers_.read<IntegrationPage>(
        [tenant, filter = std::move(filter), page = std::move(page)](Connection& connection) {
          return sqlite::list_integrations(connection, tenant, filter, page);
        });
  }
  Task<Result<std::vector<PollTarget>>> poll_targets(IntegrationId after, int limit) override {
    return readers_.read<std::vector<PollTarget>>(
        [=](Connection& connection) { return sqlite::poll_targets(connection, after, limit); });
  }

 private:
  Readers& readers_;
};

class SqliteCredentials final : public CredentialRepository {
 public:
  explicit SqliteCredentials(Readers& readers) : readers_(readers) {}
  Task<Result<Credential>> find(TenantId tenant, CredentialId id) override {
    return readers_.read<Credential>(
        [=](Connection& connection) { return sqlite::find_credential(connection, tenant, id); });
  }

 private:
  Readers& readers_;
};

class SqliteTokens final : public TokenRepository {
 public:
  explicit SqliteTokens(Readers& readers) : readers_(readers) {}
  Task<Result<std::vector<ApiToken>>> all() override {
    return readers_.read<std::vector<ApiToken>>(sqlite::all_tokens);
  }

 private:
  Readers& readers_;
};

class SqliteEvents final : public EventRepository {
 public:
  explicit SqliteEvents(Readers& readers) : readers_(readers) {}
  Task<Result<std::vector<Event>>> list(TenantId tenant, std::int64_t after, int limit) override {
    return readers_.read<std::vector<Event>>(
        [=](Connection& connection) { return sqlite::list_events(connection, tenant, after, limit); });
  }

 private:
  Readers& readers_;
};

class SqliteIdempotency final : public IdempotencyRepository {
 public:
  SqliteIdempotency(Readers& readers, Writer& writer) : readers_(readers), writer_(writer) {}
  Task<Result<std::optional<IdempotencyRecord>>> find(TenantId tenant, std::string key) override {
    return readers_.read<std::optional<IdempotencyRecord>>([tenant, key = std::move(key)](Connection& connection) {
      return sqlite::find_idempotency(connection, tenant, key);
    });
  }
  Task<Result<std::int64_t>> expire(Timestamp before) override {
    std::int64_t total = 0;
    for (;;) {
      // Shared, because a cancelled caller leaves before the writer has run the change.
      const auto deleted = std::make_shared<std::int64_t>(0);
      Result<void> done = co_await writer_.write([before, deleted](Connection& connection) -> Result<void> {
        const Result<std::int64_t> count = sqlite::expire_idempotency(connection, before, kExpiredPerChange);
        if (!count) return fail(count.error());
        *deleted = *count;
        return {};
      });
      if (!done) co_return fail(std::move(done).error());
      total += *deleted;
      if (*deleted < kExpiredPerChange) co_return total;
    }
  }

 private:
  Readers& readers_;
  Writer& writer_;
};

class SqliteTenants final : public TenantRepository {
 public:
  explicit SqliteTenants(Readers& readers) : readers_(readers) {}
  Task<Result<std::vector<Tenant>>> tenants() override {
    return readers_.read<std::vector<Tenant>>(sqlite::all_tenants);
  }
  Task<Result<std::vector<User>>> users(TenantId tenant) override {
    return readers_.read<std::vector<User>>(
        [=](Connection& connection) { return sqlite::users_of(connection, tenant); });
  }

 private:
  Readers& readers_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(sqlite::DataDirectory directory, Connection writer, std::vector<Connection> readers, Metrics& metrics)
      : directory_(std::move(directory)), writer_(std::move(writer), metrics), readers_(std::move(readers), metrics) {}

  IntegrationRepository& integrations() override { return integrations_; }
  CredentialRepository& credentials() override { return credentials_; }
  TokenRepository& tokens() override { return tokens_; }
  EventRepository& events() override { return events_; }
  IdempotencyRepository& idempotency() override { return idempotency_; }
  TenantRepository& tenants() override { return tenants_; }

  Task<Result<void>> commit(Transaction transaction) override {
    return writer_.write([transaction = std::move(transaction)](Connection& connection) {
      return sqlite::apply(connection, transaction);
    });
  }
  Task<Result<void>> check_writable() override { return writer_.write(sqlite::write_probe); }

 private:
  // Destroyed from the bottom: first the readers, then the writer, whose connection is then the last one and so empties
  // the WAL into the database, then the lock.
  sqlite::DataDirectory directory_;
  Writer writer_;
  Readers readers_;
  SqliteIntegrations integrations_{readers_};
  SqliteCredentials credentials_{readers_};
  SqliteTokens tokens_{readers_};
  SqliteEvents events_{readers_};
  SqliteIdempotency idempotency_{readers_, writer_};
  SqliteTenants tenants_{readers_};
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& directory, Metrics& metrics) {
  Result<sqlite::DataDirectory> owned = sqlite::DataDirectory::acquire(directory);
  if (!owned) return fail(std::move(owned).error());
  const std::filesystem::path file = owned->database();
  Result<Connection> writer = Connection::open(file, sqlite::Access::read_write);
  if (!writer) return fail(std::move(writer).error());
  if (Result<void> migrated = sqlite::migrate(*writer); !migrated) return fail(std::move(migrated).error());
  std::vector<Connection> readers;
  for (std::size_t i = 0; i < sqlite::kReaders; ++i) {
    Result<Connection> reader = Connection::open(file, sqlite::Access::read_only);
    if (!reader) return fail(std::move(reader).error());
    readers.push_back(std::move(*reader));
  }
  return std::make_unique<SqliteStore>(std::move(*owned), std::move(*writer), std::move(readers), metrics);
}

}  // namespace inthub
