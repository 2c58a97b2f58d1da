#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "foundation/metrics.h"
#include "foundation/task.h"
#include "persistence/sqlite/connection.h"
#include "persistence/sqlite/work_queue.h"

namespace inthub::sqlite {

/// Requests that wait in one queue; the next one is refused at once instead of waiting for ever.
inline constexpr std::size_t kMostWaiting = 10'000;
/// Transactions that share one COMMIT. Bounds how long the first of them waits for the others.
inline constexpr std::size_t kMostPerBatch = 256;
inline constexpr std::size_t kReaders = 2;
/// WAL pages (4 KiB) after which they are copied into the database, as far as running reads allow. SQLite's own
/// default.
inline constexpr int kCheckpointPages = 1'000;
/// WAL pages after which the writer waits briefly for the readers, so that reads which always overlap cannot let the
/// WAL grow for ever.
inline constexpr int kRestartPages = 8'000;

/// The error for a full queue.
Error queue_is_full(std::string_view queue);
/// Logs the current exception and stands for it.
Error unexpected_exception();

/// Turns an exception, which only a bug or exhausted memory raises, into an error, so that the thread and the caller go
/// on.
template <class T, class Work>
Result<T> guarded(Work&& work) {
  try {
    return work();
  } catch (...) {
    return fail(unexpected_exception());
  }
}

/// One change waiting for the writer. `apply` may run again when the batch around it failed.
struct WriteJob {
  std::move_only_function<Result<void>(Connection&)> apply;
  OneShot<Result<void>> done;
};

/// The thread that owns the writing connection. See open_sqlite_store().
class Writer {
 public:
  Writer(Connection connection, Metrics& metrics);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  /// Finishes what waits.
  ~Writer();

  /// Resumes when the change is durable, or with why nothing of it was stored. Any io_context.
  Task<Result<void>> write(std::move_only_function<Result<void>(Connection&)> apply);

 private:
  using Outcomes = std::vector<Result<void>>;
  void run();
  void serve(std::span<WriteJob> jobs);
  Result<void> begin();
  /// The outcome of each job; an Error when the whole batch failed and nothing of it was stored.
  Result<Outcomes> commit_together(std::span<WriteJob> jobs);
  Result<void> apply_in_savepoint(WriteJob& job);
  Error abandon(Error reason);
  void answer(WriteJob& job, Result<void> outcome, bool batch_failed);
  void tend_wal();

  Connection connection_;
  Counter& batches_;
  Counter& committed_;
  Counter& refused_;
  Counter& failed_;
  Counter& rejected_;
  Histogram& commit_seconds_;
  bool commit_in_doubt_ = false;
  int restart_at_ = kRestartPages;
  WorkQueue<WriteJob> queue_{kMostWaiting};
  std::thread thread_;  // last: uses everything above
};

/// The threads that own the reading connections.
class Readers {
 public:
  Readers(std::vector<Connection> connections, Metrics& metrics);
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  /// Finishes what waits.
  ~Readers();

  /// Runs `query` on a reader thread. Any io_context.
  template <class T>
  Task<Result<T>> read(std::move_only_function<Result<T>(Connection&)> query) {
    const OneShot<Result<T>> answer;
    const bool accepted = submit([query = std::move(query), answer](Connection& connection) mutable {
      answer.set(guarded<T>([&] { return query(connection); }));
    });
    if (!accepted) co_return fail(queue_is_full("read"));
    std::optional<Result<T>> result = co_await answer.wait(Deadline::max());
    if (!result) co_return fail(ErrorCode::internal, "the database answered nothing");
    co_return std::move(*result);
  }

 private:
  using Job = std::move_only_function<void(Connection&)>;
  bool submit(Job job);
  void run(Connection& connection);

  std::vector<Connection> connections_;
  Counter& rejected_;
  WorkQueue<Job> queue_{kMostWaiting};
  std::vector<std::thread> threads_;  // last: use everything above
};

}  // namespace inthub::sqlite
