#include "persistence/sqlite/sqlite_store.h"

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "persistence/sample_rows.h"
#include "persistence/sqlite/connection.h"
#include "persistence/sqlite/database_threads.h"
#include "persistence/sqlite/migrations.h"
#include "persistence/sqlite/raw_database.h"
#include "persistence/sqlite/sqlite_fixture.h"
#include "support/run_task.h"

namespace inthub::testing_support {
namespace {

using testing::HasSubstr;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

Error error_of_opening(const std::filesystem::path& directory) {
  Metrics metrics;
  Result<std::unique_ptr<Store>> opened = open_sqlite_store(directory, metrics);
  return opened ? Error(ErrorCode::internal, "it opened") : std::move(opened).error();
}

/// Starts a commit on `context` without waiting for it.
void start_commit(asio::io_context& context, Store& store, Transaction transaction,
                  std::vector<Result<void>>& outcomes) {
  asio::co_spawn(
      context,
      [](Store& target, Transaction change, std::vector<Result<void>>& out) -> Task<void> {
        Result<void> done = co_await target.commit(std::move(change));
        out.push_back(std::move(done));
      }(store, std::move(transaction), outcomes),
      [](const std::exception_ptr& error) { EXPECT_FALSE(error); });
}

class SqliteStore : public testing::Test {
 protected:
  std::filesystem::path file() const { return fixture.directory() / "inthub.db"; }
  std::filesystem::path wal() const { return fixture.directory() / "inthub.db-wal"; }
  void commit(Transaction transaction) {
    const Result<void> done = run_task(context, fixture.store().commit(std::move(transaction)));
    ASSERT_TRUE(done) << done.error().message();
  }
  double counter(std::string_view name, const MetricLabels& labels = {}) {
    return fixture.metrics().counter(name, "", labels).value();
  }

  asio::io_context context{1};
  SqliteFixture fixture;
  SampleRows rows;
};

TEST_F(SqliteStore, DirectoryAndFilesAreTheOwnersAlone) {
  commit(rows.foundation());
  EXPECT_EQ(mode_of(file()), 0600U);
  EXPECT_EQ(mode_of(wal()), 0600U);
  EXPECT_EQ(mode_of(fixture.directory() / "inthub.db-shm"), 0600U);
  EXPECT_EQ(mode_of(fixture.directory() / "hub.lock"), 0600U);

  const TemporaryDirectory parent;
  Metrics metrics;
  ASSERT_TRUE(open_sqlite_store(parent.path() / "new" / "data", metrics));
  EXPECT_EQ(mode_of(parent.path() / "new" / "data"), 0700U);
}

TEST_F(SqliteStore, WhatWasStoredIsThereAfterReopening) {
  commit(rows.foundation());
  const Integration row = rows.integration("kept");
  commit(rows.creation(row));
  fixture.close();
  EXPECT_FALSE(std::filesystem::exists(wal())) << "closing leaves one complete file behind";
  fixture.open();
  EXPECT_TRUE(run_task(context, fixture.store().integrations().find(row.tenant, row.id)));
}

TEST_F(SqliteStore, ASecondHubOnTheSameDirectoryIsToldWhoHasIt) {
  const Error error = error_of_opening(fixture.directory());
  EXPECT_EQ(error.code(), ErrorCode::conflict);
  EXPECT_EQ(error.reason(), "store.locked");
  EXPECT_THAT(error.message(), HasSubstr(std::to_string(::getpid())));
  EXPECT_THAT(error.message(), HasSubstr(fixture.directory().string()));
  EXPECT_FALSE(error.remedy().empty());
  fixture.close();
  fixture.open();
}

TEST_F(SqliteStore, ADatabaseOfANewerBinaryIsRefusedAndLeftAlone) {
  fixture.close();
  RawDatabase(file()).execute("PRAGMA user_version = 4711");
  const Error error = error_of_opening(fixture.directory());
  EXPECT_EQ(error.reason(), "store.newer_schema");
  EXPECT_THAT(error.message(), HasSubstr("4711"));
  EXPECT_THAT(error.message(), HasSubstr(std::to_string(sqlite::newest_version())));
  EXPECT_FALSE(error.remedy().empty());
  EXPECT_EQ(RawDatabase(file()).value("PRAGMA user_version"), "4711");
}

TEST_F(SqliteStore, ADatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  const TemporaryDirectory directory;
  RawDatabase(directory.path() / "inthub.db").execute("CREATE TABLE bookmarks (url TEXT)");
  EXPECT_EQ(error_of_opening(directory.path()).reason(), "store.foreign");
  EXPECT_EQ(RawDatabase(directory.path() / "inthub.db").value("SELECT count(*) FROM sqlite_schema"), "1");
}

TEST_F(SqliteStore, AFileThatIsNoDatabaseIsAClearError) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "inthub.db") << std::string(8192, 'x');
  const Error error = error_of_opening(directory.path());
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_EQ(error.reason(), "store.corrupt");
  EXPECT_THAT(error.message(), HasSubstr(directory.path().string()));
  EXPECT_THAT(error.remedy(), HasSubstr("backup"));
}

TEST_F(SqliteStore, ADamagedPageIsAClearErrorAndOtherReadsGoOn) {
  commit(rows.foundation());
  const Integration row = rows.integration("lost");
  commit(rows.creation(row));
  fixture.close();
  std::int64_t page = 0;
  {
    RawDatabase raw(file());
    page = std::stoll(raw.value("SELECT rootpage FROM sqlite_schema WHERE name = 'integrations'"));
  }
  {
    std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp((page - 1) * 4096);
    bytes << std::string(4096, '\xff');
  }
  fixture.open();
  const Result<Integration> found = run_task(context, fixture.store().integrations().find(row.tenant, row.id));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(found.error().reason(), "store.corrupt");
  EXPECT_TRUE(run_task(context, fixture.store().tenants().tenants()));
}

TEST_F(SqliteStore, ADirectoryThatCannotBeMadeNamesTheReason) {
  const TemporaryDirectory parent;
  std::ofstream(parent.path() / "file") << "x";
  const Error error = error_of_opening(parent.path() / "file" / "data");
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_EQ(error.reason(), "store.unavailable");
  EXPECT_THAT(error.message(), HasSubstr("Not a directory"));
}

TEST(SqliteMigrations, EveryOlderVersionBecomesTheNewestWithItsRows) {
  for (std::int64_t version = 0; version < sqlite::newest_version(); ++version) {
    SCOPED_TRACE(testing::Message() << "from version " << version);
    const TemporaryDirectory directory;
    const std::filesystem::path file = directory.path() / "inthub.db";
    SampleRows rows;
    const Integration row = rows.integration("old");
    {
      Result<sqlite::Connection> connection = sqlite::Connection::open(file, sqlite::Access::read_write);
      ASSERT_TRUE(connection);
      ASSERT_TRUE(sqlite::migrate(*connection, version));
      EXPECT_EQ(connection->number("PRAGMA user_version").value_or(-1), version);
    }
    if (version >= 1) {
      RawDatabase raw(file);
      const std::string tenant = rows.tenant.to_string();
      const std::string user = rows.user.to_string();
      raw.execute(fmt::format("INSERT INTO tenants VALUES ('{}', 't', 0)", tenant));
      raw.execute(fmt::format("INSERT INTO users VALUES ('{}', '{}', 'u', 0)", user, tenant));
      raw.execute(
          "INSERT INTO integration_types (id, display_name, config_schema, capabilities) "
          "VALUES ('registry.oci', 'OCI', '{}', '[]')");
      raw.execute(
          fmt::format("INSERT INTO integrations (id, tenant_id, type_id, name, config, credential_ref, created_at, "
                      "updated_at, created_by) "
                      "VALUES ('{}', '{}', 'registry.oci', 'old', '{{}}', 'authref://none', 1, 1, '{}')",
                      row.id.to_string(), tenant, user));
    }
    Metrics metrics;
    Result<std::unique_ptr<Store>> store = open_sqlite_store(directory.path(), metrics);
    ASSERT_TRUE(store) << store.error().message();
    const Result<IntegrationPage> page = run_task((*store)->integrations().list(rows.tenant, {}, {}));
    ASSERT_TRUE(page);
    const std::int64_t want = version >= 1 ? 1 : 0;
    EXPECT_EQ(page->total, want);
    EXPECT_EQ(static_cast<std::int64_t>(page->items.size()), want);
    store->reset();
    EXPECT_EQ(RawDatabase(file).value("PRAGMA user_version"), std::to_string(sqlite::newest_version()));
    EXPECT_EQ(RawDatabase(file).value("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(RawDatabase(file).value("PRAGMA foreign_key_check"), "");
  }
}

TEST(SqliteMigrations, VersionsAscendByOneFromOne) {
  std::int64_t expected = 0;
  for (const sqlite::Migration& migration : sqlite::migrations()) EXPECT_EQ(migration.version, ++expected);
  EXPECT_EQ(expected, sqlite::newest_version());
}

TEST_F(SqliteStore, TheSchemaHasTheTablesOfTheSpecification) {
  const std::map<std::string, std::string> columns{
      {"integration_types", "id,plugin_id,display_name,description,icon_url,config_schema,capabilities,created_at"},
      {"integrations",
       "id,tenant_id,type_id,name,config,credential_ref,health_status,last_health_check,created_at,updated_at,created_"
       "by"},
      {"connection_profiles",
       "id,tenant_id,name,integration_type,default_config,is_default,last_used_at,created_by,created_at"},
      {"doctor_checks", "id,integration_id,check_type,status,message,details,duration_ms,run_at"},
      {"tenants", "id"},
      {"users", "id"},
      {"plugins", "id"},
  };
  RawDatabase raw(file());
  for (const auto& [table, names] : columns) {
    std::istringstream each(names);
    for (std::string column; std::getline(each, column, ',');) {
      EXPECT_EQ(raw.value(fmt::format("SELECT count(*) FROM pragma_table_info('{}') WHERE name = '{}'", table, column)),
                "1")
          << table << "." << column;
    }
  }
  EXPECT_EQ(raw.value("SELECT count(*) FROM sqlite_schema WHERE name = 'idx_doctor_checks_integration'"), "1");
  EXPECT_EQ(raw.value("PRAGMA application_id"), std::to_string(sqlite::kApplicationId));
}

TEST_F(SqliteStore, IdsAreLegibleInTheShell) {
  commit(rows.foundation());
  EXPECT_EQ(RawDatabase(file()).value("SELECT id FROM tenants"), rows.tenant.to_string());
}

TEST_F(SqliteStore, DeletingAnIntegrationDeletesItsDoctorHistory) {
  commit(rows.foundation());
  const Integration row = rows.integration("x");
  commit(rows.creation(row));
  RawDatabase raw(file());
  raw.execute("INSERT INTO doctor_checks (id, integration_id, check_type, status, duration_ms, run_at) VALUES ('1', '" +
              row.id.to_string() + "', 'tls', 'pass', 1, 1)");
  commit(just(DeleteIntegration{.tenant = row.tenant, .id = row.id, .expected = {}}));
  EXPECT_EQ(raw.value("SELECT count(*) FROM doctor_checks"), "0");
}

TEST_F(SqliteStore, ConcurrentCommittersShareACommit) {
  commit(rows.foundation());
  const double batches_before = counter("inthub_store_commit_batches_total");
  std::vector<Result<void>> outcomes;
  {
    // While another process holds the write lock, all 64 arrive.
    RawDatabase raw(file());
    raw.execute("BEGIN IMMEDIATE");
    for (int i = 0; i < 64; ++i) {
      start_commit(context, fixture.store(), rows.creation(rows.integration("row " + std::to_string(i))), outcomes);
    }
    context.restart();
    context.poll();
    raw.execute("ROLLBACK");
  }
  context.run();
  ASSERT_EQ(outcomes.size(), 64U);
  for (const Result<void>& done : outcomes) EXPECT_TRUE(done);
  EXPECT_EQ(counter("inthub_store_commit_batches_total") - batches_before, 1);
  EXPECT_EQ(counter("inthub_store_transactions_total", {{"outcome", "committed"}}), 65);
}

TEST_F(SqliteStore, WhoComesWhenTheQueueIsFullIsRefusedAtOnce) {
  commit(rows.foundation());
  std::vector<Result<void>> outcomes;
  RawDatabase raw(file());
  raw.execute("BEGIN IMMEDIATE");
  const auto arrive = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) start_commit(context, fixture.store(), {}, outcomes);
    context.restart();
    context.poll();
  };
  arrive(sqlite::kMostWaiting);
  EXPECT_TRUE(outcomes.empty());
  arrive(1);
  ASSERT_EQ(outcomes.size(), 1U);
  ASSERT_FALSE(outcomes.front());
  EXPECT_EQ(outcomes.front().error().code(), ErrorCode::unavailable);
  EXPECT_EQ(outcomes.front().error().reason(), "store.busy");
  EXPECT_TRUE(outcomes.front().error().retry_after().has_value());
  EXPECT_EQ(counter("inthub_store_rejected_total", {{"queue", "write"}}), 1);
  raw.execute("ROLLBACK");
  context.run();
  EXPECT_EQ(outcomes.size(), sqlite::kMostWaiting + 1);
}

TEST_F(SqliteStore, ACallerWhoIsCancelledLeavesTheStoreWorking) {
  commit(rows.foundation());
  const Integration row = rows.integration("left behind");
  asio::cancellation_signal leave;
  bool aborted = false;
  RawDatabase raw(file());
  raw.execute("BEGIN IMMEDIATE");
  asio::co_spawn(context, fixture.store().commit(rows.creation(row)),
                 asio::bind_cancellation_slot(leave.slot(), [&](const std::exception_ptr& error, const Result<void>&) {
                   aborted = error != nullptr;
                 }));
  context.restart();
  context.poll();
  leave.emit(asio::cancellation_type::terminal);
  context.run();
  EXPECT_TRUE(aborted);
  raw.execute("ROLLBACK");
  // The change was described and handed over: it is stored although nobody waits for the answer.
  commit({});
  EXPECT_TRUE(run_task(context, fixture.store().integrations().find(row.tenant, row.id)));
}

struct ReadsWhileWriting {
  Store& store;
  SampleRows& rows;
  bool writing = true;
  int reads = 0;
};

/// Two integrations per transaction, 200 times.
Task<void> write_pairs(ReadsWhileWriting& test) {
  for (int i = 0; i < 200; ++i) {
    Transaction pair = test.rows.creation(test.rows.integration("first of pair " + std::to_string(i)));
    const Transaction second = test.rows.creation(test.rows.integration("second of pair " + std::to_string(i)));
    for (const Change& change : second.changes()) std::visit([&](const auto& kind) { pair.add(kind); }, change);
    const Result<void> done = co_await test.store.commit(std::move(pair));
    EXPECT_TRUE(done);
  }
  test.writing = false;
}

Task<void> read_until_written(ReadsWhileWriting& test) {
  std::int64_t last = 0;
  while (test.writing) {
    const Result<IntegrationPage> page = co_await test.store.integrations().list(test.rows.tenant, {}, {.limit = 1000});
    EXPECT_TRUE(page);
    if (!page) break;
    EXPECT_EQ(page->total % 2, 0);
    EXPECT_EQ(page->total, static_cast<std::int64_t>(page->items.size()));
    EXPECT_GE(page->total, last);
    last = page->total;
    ++test.reads;
  }
}

TEST_F(SqliteStore, ReadersSeeWholeTransactionsWhileTheWriterWrites) {
  commit(rows.foundation());
  ReadsWhileWriting test{.store = fixture.store(), .rows = rows};
  const auto no_exception = [](const std::exception_ptr& error) { EXPECT_FALSE(error); };
  asio::co_spawn(context, write_pairs(test), no_exception);
  for (int i = 0; i < 4; ++i) asio::co_spawn(context, read_until_written(test), no_exception);
  context.restart();
  context.run();
  EXPECT_GT(test.reads, 0);
}

TEST_F(SqliteStore, CallersOfSeveralContextsAreServed) {
  commit(rows.foundation());
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  std::vector<std::vector<Integration>> made(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kEach; ++i) {
      made[static_cast<std::size_t>(t)].push_back(rows.integration(std::to_string(t) + "/" + std::to_string(i)));
    }
  }
  std::atomic<int> found{0};
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (const std::vector<Integration>& mine : made) {
      threads.emplace_back([&] {
        SampleRows credentials(99);  // only for the shape of a creation; ids come from `mine`
        credentials.tenant = rows.tenant;
        for (const Integration& row : mine) {
          Transaction change;
          change.add(InsertCredential{credentials.credential(row.credential_id)}).add(InsertIntegration{row});
          if (!run_task(fixture.store().commit(std::move(change)))) continue;
          if (run_task(fixture.store().integrations().find(row.tenant, row.id))) ++found;
        }
      });
    }
  }
  EXPECT_EQ(found, kThreads * kEach);
}

/// `count` transactions of ten integrations with a config of 64 KiB each.
std::vector<Transaction> large_transactions(SampleRows& rows, int count) {
  std::vector<Transaction> all;
  for (int i = 0; i < count; ++i) {
    Transaction change;
    for (int j = 0; j < 10; ++j) {
      Integration row = rows.integration("large " + rows.new_id<IntegrationId>().to_string());
      row.config = share(Json{{"padding", std::string(65'536, 'p')}});
      for (const Change& part : rows.creation(row).changes()) {
        std::visit([&](const auto& kind) { change.add(kind); }, part);
      }
    }
    all.push_back(std::move(change));
  }
  return all;
}

TEST_F(SqliteStore, TheWriteAheadLogStaysSmall) {
  commit(rows.foundation());
  std::uintmax_t largest = 0;
  for (Transaction& change : large_transactions(rows, 40)) {
    commit(std::move(change));
    largest = std::max(largest, std::filesystem::file_size(wal()));
  }
  EXPECT_GT(std::filesystem::file_size(file()), 16U << 20) << "26 MiB were written";
  EXPECT_LT(largest, 12U << 20);
}

TEST_F(SqliteStore, AReaderThatStaysDoesNotStopWritesAndTheLogShrinksWhenItLeaves) {
  commit(rows.foundation());
  {
    RawDatabase backup(file());
    backup.execute("BEGIN");
    ASSERT_EQ(backup.value("SELECT count(*) FROM integrations"), "0");
    for (Transaction& change : large_transactions(rows, 60)) commit(std::move(change));
    EXPECT_GT(std::filesystem::file_size(wal()), std::uintmax_t{sqlite::kRestartPages} * 4096);
    EXPECT_EQ(backup.value("SELECT count(*) FROM integrations"), "0");
  }
  for (int i = 0; i < 3; ++i) commit(rows.creation(rows.integration("after " + std::to_string(i))));
  EXPECT_LE(std::filesystem::file_size(wal()), 9U << 20);
}

}  // namespace
}  // namespace inthub::testing_support
