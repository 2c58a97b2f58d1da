// Three questions about the SQLite store.
//   1. How many durable creates per second do 64 concurrent callers get, as a multiple of what one thread gets by
//   writing the
//      same bytes to a file of the same directory and calling fdatasync after each?
//   2. What does a point read cost, thread hand-over included?
//   3. Does a page of 50 cost the same among 100,000 integrations as among 1,000?
//
//   store_bench [DIRECTORY [SECONDS]]      DIRECTORY decides which disk is measured; default: the temporary directory.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "foundation/log.h"
#include "foundation/metrics.h"
#include "persistence/sqlite/sqlite_store.h"

namespace {

using namespace inthub;
using SteadyClock = std::chrono::steady_clock;

constexpr int kCallers = 64;
constexpr int kBulk = 500;  ///< integrations per transaction while filling
constexpr int kReads = 20'000;
constexpr int kLists = 200;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Rows {
  TenantId tenant{Uuid::make(system_clock(), system_random())};
  UserId user{Uuid::make(system_clock(), system_random())};
  int made = 0;

  Transaction foundation() const {
    Transaction change;
    change.add(InsertTenant{{.id = tenant, .name = "bench", .created_at = system_clock().now()}})
        .add(InsertUser{{.id = user, .tenant = tenant, .name = "bench", .created_at = system_clock().now()}});
    for (const std::string type : {"registry.oci", "registry.harbor", "scm.github", "vault.hashicorp"}) {
      change.add(UpsertIntegrationType{{.id = type,
                                        .display_name = type,
                                        .description = "",
                                        .icon_url = "",
                                        .config_schema = share(Json::object()),
                                        .capabilities = {"repos"}}});
    }
    return change;
  }

  /// What one POST stores: the integration, its credential, its event. `name` is as random as people's names are.
  IntegrationId add_creation(Transaction& change) {
    const IntegrationId id(Uuid::make(system_clock(), system_random()));
    const CredentialId credential(Uuid::make(system_clock(), system_random()));
    const Timestamp now = system_clock().now();
    const std::string name = fmt::format("{:06x} registry {}", system_random().below(1U << 24), ++made);
    change
        .add(InsertCredential{{.id = credential,
                               .tenant = tenant,
                               .ref = "authref://none",
                               .sealed = {},
                               .key_id = {},
                               .created_at = now,
                               .rotated_at = {}}})
        .add(
            InsertIntegration{{.id = id,
                               .tenant = tenant,
                               .type = made % 5'000 == 0 ? "vault.hashicorp"
                                       : made % 3 == 0   ? "registry.oci"
                                                         : (made % 3 == 1 ? "registry.harbor" : "scm.github"),
                               .name = name,
                               .config = share(Json{{"endpoint", "https://registry.example:5000"},
                                                    {"authMode", "token"},
                                                    {"timeout", 30},
                                                    {"retryPolicy", {{"maxAttempts", 3}, {"backoff", "exponential"}}}}),
                               .credential_id = credential,
                               .credential_ref = "authref://none",
                               .health_detail = share(Json::object()),
                               .last_health_check = {},
                               .created_at = now,
                               .updated_at = now,
                               .created_by = user}})
        .add(AppendEvent{
            {.id = EventId(Uuid::make(system_clock(), system_random())),
             .tenant = tenant,
             .type = "integration.created",
             .subject = id.to_string(),
             .document = share(Json{{"specversion", "1.0"}, {"source", "/inthub"}, {"type", "integration.created"}}),
             .occurred_at = now}});
    return id;
  }
};

template <class T>
T run(asio::io_context& context, Task<Result<T>> task) {
  std::optional<Result<T>> answer;
  asio::co_spawn(
      context.get_executor(),
      [](Task<Result<T>> work, std::optional<Result<T>>& out) -> Task<void> { out.emplace(co_await std::move(work)); }(
                                                                  std::move(task), answer),
      [](const std::exception_ptr& error) {
        if (error) std::rethrow_exception(error);
      });
  context.restart();
  context.run();
  if (!answer) throw std::runtime_error("no answer");
  return value_of(std::move(*answer));
}

/// Overwrites `size` bytes of a file that has its full length already, and calls fdatasync, one after the other: what a
/// writer without group commit can reach at best. Appending would be slower, because the file system then syncs the
/// length too.
double raw_rate(const std::filesystem::path& directory, std::size_t size, double duration) {
  const std::filesystem::path file = directory / "raw";
  const int descriptor = ::open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error("cannot open " + file.string());
  constexpr int kSlots = 1024;
  const std::string bytes(size, 'x');
  for (int i = 0; i < kSlots; ++i) {
    if (::write(descriptor, bytes.data(), bytes.size()) != static_cast<ssize_t>(size))
      throw std::runtime_error("cannot write");
  }
  ::fsync(descriptor);
  const auto start = SteadyClock::now();
  int writes = 0;
  while (seconds_since(start) < duration) {
    const auto place = static_cast<off_t>(static_cast<std::size_t>(writes % kSlots) * size);
    if (::pwrite(descriptor, bytes.data(), bytes.size(), place) != static_cast<ssize_t>(size) ||
        ::fdatasync(descriptor) != 0) {
      throw std::runtime_error("cannot write " + file.string());
    }
    ++writes;
  }
  const double elapsed = seconds_since(start);
  ::close(descriptor);
  std::filesystem::remove(file);
  return writes / elapsed;
}

Task<void> create_until(Store& store, Rows& rows, SteadyClock::time_point end, int& created) {
  while (SteadyClock::now() < end) {
    Transaction change;
    rows.add_creation(change);
    value_of(co_await store.commit(std::move(change)));
    ++created;
  }
}

double create_rate(asio::io_context& context, Store& store, Rows& rows, int callers, double duration) {
  int created = 0;
  const auto start = SteadyClock::now();
  const auto end = start + std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(duration));
  for (int i = 0; i < callers; ++i) {
    asio::co_spawn(context.get_executor(), create_until(store, rows, end, created),
                   [](const std::exception_ptr& error) {
                     if (error) std::rethrow_exception(error);
                   });
  }
  context.restart();
  context.run();
  return created / seconds_since(start);
}

Task<Result<void>> read_points(Store& store, TenantId tenant, const std::vector<IntegrationId>& ids, int count) {
  for (int i = 0; i < count; ++i) {
    const IntegrationId id = ids[static_cast<std::size_t>(system_random().below(ids.size()))];
    const Result<Integration> found = co_await store.integrations().find(tenant, id);
    if (!found) co_return fail(found.error());
  }
  co_return Result<void>();
}

struct Timing {
  double median_ms;
  double p99_ms;
};

Timing time_of(const std::function<void()>& work, int repetitions) {
  std::vector<double> times;
  for (int i = 0; i < repetitions; ++i) {
    const auto start = SteadyClock::now();
    work();
    times.push_back(seconds_since(start) * 1e3);
  }
  std::ranges::sort(times);
  return {.median_ms = times[times.size() / 2], .p99_ms = times[times.size() * 99 / 100]};
}

void report_lists(asio::io_context& context, Store& store, const Rows& rows) {
  const std::int64_t total = run(context, store.integrations().list(rows.tenant, {}, {})).total;
  IntegrationFilter by_time;
  by_time.sort = IntegrationFilter::Sort::updated_at;
  by_time.descending = true;
  IntegrationFilter by_type;
  by_type.type = "scm.github";
  IntegrationFilter by_absent_type;
  by_absent_type.type = "ci.jenkins";
  IntegrationFilter by_rare_type;
  by_rare_type.type = "vault.hashicorp";
  IntegrationFilter by_query;
  by_query.query = "7f3";
  Page from_cursor;
  Page from_middle;
  from_middle.offset = total / 2;
  from_cursor.after = run(context, store.integrations().list(rows.tenant, {}, from_middle)).next;
  struct Case {
    const char* name;
    IntegrationFilter filter;
    Page page;
  };
  for (const Case& test :
       {Case{"first page by name", {}, {}}, Case{"first page by updated_at, newest first", by_time, {}},
        Case{"first page of one type", by_type, {}}, Case{"a type nobody has", by_absent_type, {}},
        Case{"page in the middle, by cursor", {}, from_cursor}, Case{"page in the middle, by offset", {}, from_middle},
        Case{"a type 20 have", by_rare_type, {}}, Case{"search in the name", by_query, {}}}) {
    const Timing timing =
        time_of([&] { run(context, store.integrations().list(rows.tenant, test.filter, test.page)); }, kLists);
    fmt::print("  list 50 of {:>6}, {:<40} median {:7.3f} ms   p99 {:7.3f} ms\n", total, test.name, timing.median_ms,
               timing.p99_ms);
  }
}

std::string memory_line() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS")) return line;
  }
  return {};
}

void measure(const std::filesystem::path& directory, double duration) {
  asio::io_context context(1);
  Metrics metrics;
  const std::string memory_before = memory_line();
  const std::unique_ptr<Store> store = value_of(open_sqlite_store(directory / "data", metrics));
  fmt::print("memory before open {} | after {}\n", memory_before, memory_line());
  Rows rows;
  run(context, store->commit(rows.foundation()));

  // About what one create adds to the WAL when it is alone: its row, credential, event and their index entries.
  constexpr std::size_t kRawBytes = 4096;
  Counter& batches = metrics.counter("inthub_store_commit_batches_total", "");
  for (int round = 1; round <= 3; ++round) {
    const double raw = raw_rate(directory, kRawBytes, duration);
    const double alone = create_rate(context, *store, rows, 1, duration);
    const double batches_before = batches.value();
    const double together = create_rate(context, *store, rows, kCallers, duration);
    const double per_batch = together * duration / (batches.value() - batches_before);
    fmt::print(
        "round {}: raw {} B write+fdatasync {:6.0f}/s | creates, 1 caller {:6.0f}/s ({:.2f} x raw) | {} callers "
        "{:6.0f}/s "
        "({:.2f} x raw, {:.1f} per commit)\n",
        round, kRawBytes, raw, alone, alone / raw, kCallers, together, together / raw, per_batch);
  }

  // A database of its own, so that its size is known.
  const std::unique_ptr<Store> lists = value_of(open_sqlite_store(directory / "lists", metrics));
  Rows filled;
  run(context, lists->commit(filled.foundation()));
  std::vector<IntegrationId> ids;
  for (const std::size_t target : {std::size_t{1'000}, std::size_t{100'000}}) {
    while (ids.size() < target) {
      Transaction change;
      for (int i = 0; i < kBulk; ++i) ids.push_back(filled.add_creation(change));
      run(context, lists->commit(std::move(change)));
    }
    const auto start = SteadyClock::now();
    run(context, read_points(*lists, filled.tenant, ids, kReads));
    fmt::print("point reads of {} one after the other: {:.1f} us each\n", ids.size(),
               seconds_since(start) * 1e6 / kReads);
    report_lists(context, *lists, filled);
  }
  fmt::print("memory at the end {}\n", memory_line());
}

}  // namespace

int main(int argc, char** argv) {
  log::configure(log::Level::warning, log::Format::text);
  const std::filesystem::path base = argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path();
  const double duration = argc > 2 ? std::atof(argv[2]) : 3.0;
  std::string directory = (base / "inthub-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror(directory.c_str());
    return 1;
  }
  int status = 0;
  try {
    measure(directory, duration);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    status = 1;
  }
  std::filesystem::remove_all(directory);
  return status;
}
