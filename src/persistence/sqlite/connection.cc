#include "persistence/sqlite/connection.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

namespace inthub::sqlite {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseDatabase>;

using StatementHandle = std::shared_ptr<sqlite3_stmt>;

/// SQLITE_TRANSIENT: SQLite copies the bytes.
sqlite3_destructor_type copy_bytes() {
  return reinterpret_cast<sqlite3_destructor_type>(-1);  // NOLINT(performance-no-int-to-ptr): SQLite's own convention
}

/// SQLite reports only ENOSPC as SQLITE_FULL; a quota or a file size limit arrives as an I/O error.
bool is_lack_of_space(int code, int system_error) {
  const int primary = code & 0xFF;
  return primary == SQLITE_FULL ||
         (primary == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG));
}

}  // namespace

Error error_of(sqlite3* database, int code, const std::filesystem::path& directory) {
  // errno and not sqlite3_system_errno(): a failing COMMIT does not set the latter (SQLite 3.40).
  const int system_error = errno;
  const int primary = code & 0xFF;
  const std::string place = directory.string();
  if (is_lack_of_space(code, system_error)) {
    return Error(ErrorCode::unavailable, fmt::format("no space left for the database in {}", place))
        .with_reason("store.full")
        .with_remedy(fmt::format("free disk space at {} or raise its quota; the hub continues by itself", place));
  }
  const bool has_system_reason =
      system_error != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY);
  std::string what = sqlite3_errstr(code);
  if (has_system_reason) what += fmt::format(" ({})", std::generic_category().message(system_error));
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorCode::unavailable, fmt::format("another process has locked the database in {}", place))
          .with_reason("store.busy")
          .with_remedy("end the other process's transaction (a backup, an sqlite3 shell), then repeat the request")
          .with_retry_after(std::chrono::seconds(1));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(ErrorCode::unavailable, fmt::format("the database in {} is damaged: {}", place, what))
          .with_reason("store.corrupt")
          .with_remedy(
              "stop the hub and restore inthub.db from a backup, or save what can be read with sqlite3's .recover "
              "command");
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      // The message names the table and column; it holds no value.
      return Error(ErrorCode::internal, fmt::format("the database refused a row: {}",
                                                    database != nullptr ? sqlite3_errmsg(database) : what.c_str()))
          .with_reason("store.constraint");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_NOLFS:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
      return Error(ErrorCode::unavailable, fmt::format("the database in {} cannot be used: {}", place, what))
          .with_reason("store.unavailable")
          .with_remedy(fmt::format("check that {} is mounted, healthy and writable by the hub's user", place));
    default:
      return Error(ErrorCode::internal, fmt::format("unexpected database failure: {}",
                                                    database != nullptr ? sqlite3_errmsg(database) : what.c_str()))
          .with_reason("store.failed");
  }
}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::note(int status) {
  if (bind_status_ == SQLITE_OK) bind_status_ = status;
  ++next_;
}
void Statement::bind_integer(std::int64_t value) {
  note(sqlite3_bind_int64(statement_, next_, value));
}
void Statement::bind_null() {
  note(sqlite3_bind_null(statement_, next_));
}
void Statement::bind_text(std::string_view text) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* data = text.data() != nullptr ? text.data() : "";
  note(sqlite3_bind_text64(statement_, next_, data, text.size(), copy_bytes(), SQLITE_UTF8));
}
void Statement::bind_blob(std::string_view bytes) {
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  note(sqlite3_bind_blob64(statement_, next_, data, bytes.size(), copy_bytes()));
}
void Statement::bind_next(const JsonPtr& json) {
  bind_text(json ? to_text(*json) : "{}");
}

Result<bool> Statement::step() {
  constraint_ = 0;
  if (bind_status_ != SQLITE_OK) return fail(error_of(database_, bind_status_, directory_));
  errno = 0;
  const int status = sqlite3_step(statement_);
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  if ((status & 0xFF) == SQLITE_CONSTRAINT) {
    constraint_ = status;
    constraint_text_ = sqlite3_errmsg(database_);
  }
  Error error = error_of(database_, status, directory_);  // first: it reads errno
  sqlite3_reset(statement_);
  return fail(std::move(error));
}

Result<void> Statement::run() {
  const Result<bool> row = step();
  if (!row) return fail(row.error());
  return {};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::string_view Statement::text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}
JsonPtr Statement::json(int column) const {
  Json value = Json::parse(text(column), nullptr, false);
  return share(value.is_discarded() ? Json::object() : std::move(value));
}

struct Connection::Impl {
  std::filesystem::path directory;
  DatabaseHandle database;
  std::unordered_map<std::string, StatementHandle> statements;  // after the handle: finalized before it is closed
  int wal_pages = 0;
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::open(const std::filesystem::path& file, Access access) {
  auto impl = std::make_unique<Impl>();
  impl->directory = file.parent_path();
  // NOMUTEX: every connection is used by one thread at a time.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (access == Access::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  sqlite3* raw = nullptr;
  errno = 0;
  const int status = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  impl->database.reset(raw);  // before the status is read: there is a handle even when opening failed
  if (status != SQLITE_OK) return fail(error_of(raw, status, impl->directory));
  sqlite3_busy_timeout(raw, static_cast<int>(kBusyTimeout.count()));
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  // Whoever writes decides when to checkpoint; see SqliteStore.
  sqlite3_wal_hook(
      raw,
      [](void* context, sqlite3*, const char*, int pages) {
        static_cast<Impl*>(context)->wal_pages = pages;
        return SQLITE_OK;
      },
      impl.get());
  Connection connection(std::move(impl));
  const std::string settings =
      fmt::format("PRAGMA cache_size=-{}; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;", kCacheKibibytes);
  if (Result<void> set = connection.execute(settings.c_str()); !set) return fail(std::move(set).error());
  if (access == Access::read_write) {
    // FULL: in WAL mode every commit is followed by an fsync of the WAL. The size limit lets a WAL that grew in a burst
    // shrink when it begins again.
    for (const char* setting :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA journal_size_limit=8388608"}) {
      if (Result<void> set = connection.execute(setting); !set) return fail(std::move(set).error());
    }
  }
  return connection;
}

Error Connection::error(int code) const {
  return error_of(impl_->database.get(), code, impl_->directory);
}
const std::filesystem::path& Connection::directory() const {
  return impl_->directory;
}

Result<void> Connection::execute(const char* sql) {
  errno = 0;
  const int status = sqlite3_exec(impl_->database.get(), sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return fail(error(status));
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  std::string key(sql);
  auto found = impl_->statements.find(key);
  if (found == impl_->statements.end()) {
    sqlite3_stmt* raw = nullptr;
    errno = 0;
    const int status = sqlite3_prepare_v3(impl_->database.get(), sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    StatementHandle statement(raw, &sqlite3_finalize);
    if (status != SQLITE_OK) return fail(error(status));
    if (impl_->statements.size() >= kMaxCachedStatements) impl_->statements.clear();
    found = impl_->statements.emplace(std::move(key), std::move(statement)).first;
  }
  return Statement(impl_->database.get(), found->second, impl_->directory);
}

Result<void> Connection::run(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  return statement->run();
}

Result<std::int64_t> Connection::number(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  const Result<bool> row = statement->step();
  if (!row) return fail(row.error());
  return *row ? statement->integer(0) : 0;
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(impl_->database.get());
}
bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(impl_->database.get()) == 0;
}

bool Connection::has_open_references() const {
  int current = 0;
  int highest = 0;
  sqlite3_db_status(impl_->database.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
  return current != 0;
}

Result<void> Connection::checkpoint(bool restart) {
  sqlite3* database = impl_->database.get();
  sqlite3_busy_timeout(database, static_cast<int>(kCheckpointPatience.count()));
  const int mode = restart ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  errno = 0;
  const int status = sqlite3_wal_checkpoint_v2(database, nullptr, mode, nullptr, nullptr);
  Result<void> done;
  if (status != SQLITE_OK) done = fail(error(status));
  sqlite3_busy_timeout(database, static_cast<int>(kBusyTimeout.count()));
  if (done && restart) impl_->wal_pages = 0;
  return done;
}

int Connection::wal_pages() const {
  return impl_->wal_pages;
}

}  // namespace inthub::sqlite
