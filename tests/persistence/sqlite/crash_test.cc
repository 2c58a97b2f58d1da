// What survives a crash and a full disk. The misfortunes happen in child processes: this executable started again with
// the name of a misfortune as its first argument.

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "foundation/metrics.h"
#include "persistence/sample_rows.h"
#include "persistence/sqlite/raw_database.h"
#include "persistence/sqlite/sqlite_store.h"
#include "support/process.h"
#include "support/run_task.h"
#include "support/temporary_directory.h"

namespace inthub::testing_support {
namespace {

constexpr std::string_view kCommitUntilKilled = "--commit-until-killed";
constexpr std::string_view kFillTheDisk = "--fill-the-disk";
constexpr int kCommitters = 64;
constexpr std::chrono::seconds kPatience{100};

struct OpenStore {
  explicit OpenStore(const std::filesystem::path& directory) {
    Result<std::unique_ptr<Store>> opened = open_sqlite_store(directory, metrics);
    if (!opened) throw std::runtime_error(opened.error().message());
    store = std::move(*opened);
  }
  Metrics metrics;
  std::unique_ptr<Store> store;
};

// ---- the child that is killed

struct Burst {
  Store& store;
  SampleRows& rows;
  int acknowledged = 0;
  int die_after;
};

Task<void> commit_for_ever(Burst& burst) {
  for (;;) {
    const Integration row = burst.rows.integration(burst.rows.new_id<IntegrationId>().to_string());
    const Result<void> done = co_await burst.store.commit(burst.rows.creation(row));
    if (!done) continue;
    const std::string line = row.id.to_string() + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(2);
    // The other committers have changes in every state by now: waiting, applied, being synced.
    if (++burst.acknowledged == burst.die_after) ::kill(::getpid(), SIGKILL);
  }
}

int commit_until_killed(const std::filesystem::path& directory, int die_after) {
  asio::io_context context(1);
  OpenStore open(directory);
  SampleRows rows;
  if (!run_task(context, open.store->commit(rows.foundation()))) return 1;
  Burst burst{.store = *open.store, .rows = rows, .die_after = die_after};
  for (int i = 0; i < kCommitters; ++i) {
    asio::co_spawn(context, commit_for_ever(burst), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
  }
  context.restart();
  context.run();
  return 3;  // not reached: the burst ends with SIGKILL
}

// ---- the child whose disk is full

#define CHECK_OR_EXIT(condition)                                                 \
  do {                                                                           \
    if (!(condition)) {                                                          \
      std::fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
      return 1;                                                                  \
    }                                                                            \
  } while (false)

void limit_file_size(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

int fill_the_disk(const std::filesystem::path& directory) {
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit then fails with EFBIG
  asio::io_context context(1);
  OpenStore open(directory);
  Store& store = *open.store;
  SampleRows rows;
  CHECK_OR_EXIT(run_task(context, store.commit(rows.foundation())));
  CHECK_OR_EXIT(run_task(context, store.check_writable()));

  limit_file_size(rlim_t{1} << 20);
  int stored = 0;
  std::optional<Error> error;
  for (int i = 0; i < 100 && !error; ++i) {
    Integration row = rows.integration("row " + std::to_string(i));
    row.config = share(Json{{"padding", std::string(50'000, 'p')}});
    const Result<void> done = run_task(context, store.commit(rows.creation(row)));
    if (done) {
      ++stored;
    } else {
      error = done.error();
    }
  }
  CHECK_OR_EXIT(stored > 0);
  CHECK_OR_EXIT(error.has_value());
  CHECK_OR_EXIT(error->code() == ErrorCode::unavailable);
  CHECK_OR_EXIT(error->reason() == "store.full");
  CHECK_OR_EXIT(error->remedy().find(directory.string()) != std::string::npos);

  // What was stored can still be read, and nothing of what failed is there.
  const Result<IntegrationPage> page = run_task(context, store.integrations().list(rows.tenant, {}, {.limit = 1000}));
  CHECK_OR_EXIT(page);
  CHECK_OR_EXIT(page->total == stored && page->items.size() == static_cast<std::size_t>(stored));
  const Result<std::vector<Event>> events = run_task(context, store.events().list(rows.tenant, 0, 1000));
  CHECK_OR_EXIT(events && events->size() == static_cast<std::size_t>(stored));

  // One change that does not fit does not take those of the same moment with it. The limit leaves room for small ones.
  limit_file_size(rlim_t{3} << 20);
  int small_stored = 0;
  int large_failed = 0;
  {
    RawDatabase raw(directory / "inthub.db");
    raw.execute("BEGIN IMMEDIATE");
    for (int i = 0; i < 5; ++i) {
      const bool large = i == 2;
      Integration row = rows.integration((large ? "too large " : "small ") + std::to_string(i));
      if (large) row.config = share(Json{{"padding", std::string(8 << 20, 'p')}});
      asio::co_spawn(context, store.commit(rows.creation(row)),
                     [&, large](const std::exception_ptr&, const Result<void>& done) {
                       if (large && !done && done.error().reason() == "store.full") ++large_failed;
                       if (!large && done) ++small_stored;
                     });
    }
    context.restart();
    context.poll();
    raw.execute("ROLLBACK");
  }
  context.run();
  CHECK_OR_EXIT(large_failed == 1);
  CHECK_OR_EXIT(small_stored == 4);

  // With space again the store goes on by itself.
  limit_file_size(RLIM_INFINITY);
  Integration row = rows.integration("space again");
  row.config = share(Json{{"padding", std::string(8 << 20, 'p')}});
  CHECK_OR_EXIT(run_task(context, store.commit(rows.creation(row))));
  CHECK_OR_EXIT(run_task(context, store.check_writable()));
  CHECK_OR_EXIT(run_task(context, store.integrations().list(rows.tenant, {}, {}))->total == stored + 5);
  return 0;
}

// ---- the tests

std::string this_executable() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The number is how many acknowledgements the process lives for.
class SqliteStoreKilledInABurst : public testing::TestWithParam<int> {};

TEST_P(SqliteStoreKilledInABurst, HasEverythingAcknowledgedAndNothingByHalf) {
  const TemporaryDirectory directory;
  const std::filesystem::path output = directory.path() / "acknowledged";
  const std::filesystem::path data = directory.path() / "data";
  Process child({this_executable(), std::string(kCommitUntilKilled), data.string(), std::to_string(GetParam())},
                {.environment = {},
                 .working_directory = {},
                 .output = output,
                 .error_output = directory.path() / "log",
                 .input = {}});
  ASSERT_EQ(child.wait(kPatience), 128 + SIGKILL) << text_of(directory.path() / "log");

  {
    const OpenStore reopened(data);
  }
  RawDatabase raw(data / "inthub.db");
  EXPECT_EQ(raw.value("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(raw.value("PRAGMA foreign_key_check"), "");
  int acknowledged = 0;
  std::ifstream lines(output);
  for (std::string id; std::getline(lines, id); ++acknowledged) {
    EXPECT_EQ(raw.value("SELECT count(*) FROM integrations WHERE id = '" + id + "'"), "1") << id;
  }
  EXPECT_EQ(acknowledged, GetParam());
  EXPECT_EQ(raw.value("SELECT count(*) FROM integrations WHERE id NOT IN (SELECT subject FROM events)"), "0");
  EXPECT_EQ(raw.value("SELECT count(*) FROM events WHERE subject NOT IN (SELECT id FROM integrations)"), "0");
  EXPECT_EQ(raw.value("SELECT count(*) FROM integrations"), raw.value("SELECT sum(total) FROM integration_counts"));
}

INSTANTIATE_TEST_SUITE_P(After, SqliteStoreKilledInABurst, testing::Values(1, 70, 333, 1000),
                         [](const auto& test) { return fmt::format("{}Acknowledgements", test.param); });

TEST(SqliteStoreOnAFullDisk, RefusesWithTheRemedyStoresNothingByHalfAndGoesOnWithSpace) {
  const TemporaryDirectory directory;
  const std::filesystem::path log = directory.path() / "log";
  Process child({this_executable(), std::string(kFillTheDisk), (directory.path() / "data").string()},
                {.environment = {}, .working_directory = {}, .output = log, .error_output = {}, .input = {}});
  EXPECT_EQ(child.wait(kPatience), 0) << text_of(log);
}

}  // namespace

int run_misfortune(std::string_view name, const std::filesystem::path& directory, int die_after) {
  if (name == kCommitUntilKilled) return commit_until_killed(directory, die_after);
  if (name == kFillTheDisk) return fill_the_disk(directory);
  return -1;
}

}  // namespace inthub::testing_support

int main(int argc, char** argv) {
  if (argc >= 3) {
    const int status = inthub::testing_support::run_misfortune(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 0);
    if (status >= 0) return status;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
