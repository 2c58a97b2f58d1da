#include "persistence/sqlite/database_threads.h"

#include <chrono>
#include <span>

#include <fmt/format.h>
#include <pthread.h>

#include "foundation/log.h"

namespace inthub::sqlite {
namespace {

/// Names the thread for top(1) and debuggers; at most 15 characters.
void name_this_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

constexpr std::string_view kTransactions = "inthub_store_transactions_total";
constexpr std::string_view kTransactionsHelp =
    "Transactions by outcome: committed, refused by a rule, failed with the database";
constexpr std::string_view kRejected = "inthub_store_rejected_total";
constexpr std::string_view kRejectedHelp = "Requests refused because too many were waiting for the database";
const std::vector<double> kCommitBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};

}  // namespace

Error queue_is_full(std::string_view queue) {
  return Error(ErrorCode::unavailable, fmt::format("{} database {}s are waiting already", kMostWaiting, queue))
      .with_reason("store.busy")
      .with_remedy("repeat the request later; if this lasts, the data directory's disk is too slow for the load")
      .with_retry_after(std::chrono::seconds(1));
}

Error unexpected_exception() {
  log::exception("database thread", std::current_exception());
  return Error(ErrorCode::internal, "the database request failed unexpectedly").with_reason("store.failed");
}

Writer::Writer(Connection connection, Metrics& metrics)
    : connection_(std::move(connection)),
      batches_(
          metrics.counter("inthub_store_commit_batches_total", "Durable commits, each of one or more transactions")),
      committed_(metrics.counter(kTransactions, kTransactionsHelp, {{"outcome", "committed"}})),
      refused_(metrics.counter(kTransactions, kTransactionsHelp, {{"outcome", "refused"}})),
      failed_(metrics.counter(kTransactions, kTransactionsHelp, {{"outcome", "failed"}})),
      rejected_(metrics.counter(kRejected, kRejectedHelp, {{"queue", "write"}})),
      commit_seconds_(metrics.histogram("inthub_store_commit_seconds",
                                        "Time from the first change of a batch to its durable end", kCommitBuckets)),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  queue_.close();
  thread_.join();
}

Task<Result<void>> Writer::write(std::move_only_function<Result<void>(Connection&)> apply) {
  WriteJob job{.apply = std::move(apply), .done = {}};
  const OneShot<Result<void>> done = job.done;
  if (!queue_.push(std::move(job))) {
    rejected_.add();
    co_return fail(queue_is_full("write"));
  }
  std::optional<Result<void>> result = co_await done.wait(Deadline::max());
  if (!result) co_return fail(ErrorCode::internal, "the database answered nothing");
  co_return std::move(*result);
}

void Writer::run() {
  name_this_thread("store-writer");
  while (queue_.wait()) {
    // The lock comes first: whoever arrives while another process holds it joins this batch.
    Result<void> begun = begin();
    std::vector<WriteJob> jobs = queue_.take_waiting(kMostPerBatch);
    if (begun) {
      serve(jobs);
      tend_wal();
      continue;
    }
    for (WriteJob& job : jobs) answer(job, begun, true);
  }
}

Result<void> Writer::begin() {
  if (commit_in_doubt_) {
    // A COMMIT that failed while syncing may have left valid frames at the WAL's end. Emptying the WAL makes sure that
    // a crash cannot bring back what its caller was told is not stored.
    if (Result<void> emptied = connection_.checkpoint(true); !emptied) return emptied;
    commit_in_doubt_ = false;
  }
  return connection_.execute("BEGIN IMMEDIATE");
}

void Writer::serve(std::span<WriteJob> jobs) {
  Result<Outcomes> outcomes = commit_together(jobs);
  if (outcomes) {
    for (std::size_t i = 0; i < jobs.size(); ++i) answer(jobs[i], std::move((*outcomes)[i]), false);
    return;
  }
  // One large transaction may be all that did not fit on the disk; the others deserve a try of their own.
  const bool retry_alone = jobs.size() > 1 && outcomes.error().reason() == "store.full";
  for (WriteJob& job : jobs) {
    if (!retry_alone) {
      answer(job, fail(outcomes.error()), true);
      continue;
    }
    const Result<void> begun = begin();
    Result<Outcomes> alone = begun ? commit_together({&job, 1}) : fail(begun.error());
    if (alone) {
      answer(job, std::move(alone->front()), false);
    } else {
      answer(job, fail(std::move(alone).error()), true);
    }
  }
}

Result<Writer::Outcomes> Writer::commit_together(std::span<WriteJob> jobs) {
  const auto start = std::chrono::steady_clock::now();
  Outcomes outcomes;
  outcomes.reserve(jobs.size());
  for (WriteJob& job : jobs) {
    Result<void> outcome = apply_in_savepoint(job);
    // Out of space, memory or a broken disk: SQLite has undone the whole transaction, or cannot be trusted to undo a
    // part.
    if (!outcome && (outcome.error().code() == ErrorCode::unavailable || !connection_.in_transaction())) {
      return fail(abandon(std::move(outcome).error()));
    }
    outcomes.push_back(std::move(outcome));
  }
  if (Result<void> committed = connection_.execute("COMMIT"); !committed) {
    // Without space the commit mark, which is written last, is not there; any other failure may have come after it.
    if (committed.error().reason() != "store.full") commit_in_doubt_ = true;
    return fail(abandon(std::move(committed).error()));
  }
  batches_.add();
  commit_seconds_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return outcomes;
}

Result<void> Writer::apply_in_savepoint(WriteJob& job) {
  if (Result<void> opened = connection_.run("SAVEPOINT change"); !opened) return opened;
  Result<void> outcome = guarded<void>([&] { return job.apply(connection_); });
  if (!outcome) {
    if (!connection_.in_transaction()) return outcome;
    if (Result<void> undone = connection_.run("ROLLBACK TO change"); !undone) return undone;
  }
  if (Result<void> closed = connection_.run("RELEASE change"); !closed) return closed;
  return outcome;
}

Error Writer::abandon(Error reason) {
  if (connection_.in_transaction()) {
    if (const Result<void> undone = connection_.execute("ROLLBACK"); !undone) {
      log::error("the database could not undo a failed batch", {{"error", undone.error().message()}});
    }
  }
  log::error("a batch of changes was not stored", {{"reason", reason.reason()}, {"error", reason.message()}});
  return reason;
}

void Writer::answer(WriteJob& job, Result<void> outcome, bool batch_failed) {
  Counter& counter = outcome ? committed_ : (batch_failed ? failed_ : refused_);
  counter.add();
  job.done.set(std::move(outcome));
}

void Writer::tend_wal() {
  const int pages = connection_.wal_pages();
  if (pages < kCheckpointPages) {
    restart_at_ = kRestartPages;
    return;
  }
  const bool restart = pages >= restart_at_;
  const Result<void> done = connection_.checkpoint(restart);
  if (done) return;
  // Nothing is lost: the changes are in the WAL, which the next attempt copies. A reader that stays (a backup) is asked
  // again only after as many pages more, because the writer stands still while it asks.
  if (restart) restart_at_ = pages + kRestartPages;
  log::warning("the database's write-ahead log could not be emptied",
               {{"pages", std::to_string(pages)}, {"error", done.error().message()}});
}

Readers::Readers(std::vector<Connection> connections, Metrics& metrics)
    : connections_(std::move(connections)), rejected_(metrics.counter(kRejected, kRejectedHelp, {{"queue", "read"}})) {
  for (Connection& connection : connections_) {
    threads_.emplace_back([this, &connection] { run(connection); });
  }
}

Readers::~Readers() {
  queue_.close();
  for (std::thread& thread : threads_) thread.join();
}

bool Readers::submit(Job job) {
  const bool accepted = queue_.push(std::move(job));
  if (!accepted) rejected_.add();
  return accepted;
}

void Readers::run(Connection& connection) {
  name_this_thread("store-reader");
  while (std::optional<Job> job = queue_.take()) (*job)(connection);
}

}  // namespace inthub::sqlite
