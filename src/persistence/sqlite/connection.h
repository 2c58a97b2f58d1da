#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/json.h"
#include "foundation/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace inthub::sqlite {

/// Page cache of one connection. Small on purpose: the operating system caches the file as well, and a hub keeps what
/// is hot in its read model.
inline constexpr int kCacheKibibytes = 2048;
/// How long the writer waits while another process (a backup, an operator's shell) holds the write lock.
inline constexpr std::chrono::milliseconds kBusyTimeout{10'000};
/// How long a checkpoint that empties the WAL waits for readers.
inline constexpr std::chrono::milliseconds kCheckpointPatience{250};
/// Prepared statements kept per connection, at some 5 KB each. When they are that many, the cache starts again and the
/// usual few are compiled anew.
inline constexpr std::size_t kMaxCachedStatements = 64;

/// Bytes that are stored as BLOB.
struct Blob {
  std::string_view bytes;
};

/// The error of a failed SQLite call, made from the connection and errno right after it. Reasons: "store.full",
/// "store.busy", "store.corrupt", "store.unavailable" (all unavailable), "store.constraint" (internal: a caller stored
/// what the schema forbids). `directory` is where the database lies, for the remedy.
Error error_of(sqlite3* database, int code, const std::filesystem::path& directory);

/// A prepared statement borrowed from its connection's cache; gives it back reset and unbound. Lives shorter than the
/// connection. Parameters and columns are bound and read in order, the first is number 1 (bind) and 0 (column), as in
/// SQLite.
class Statement {
 public:
  Statement(sqlite3* database, std::shared_ptr<sqlite3_stmt> owner, const std::filesystem::path& directory)
      : database_(database), owner_(std::move(owner)), statement_(owner_.get()), directory_(directory) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement(Statement&& other) noexcept
      : database_(other.database_),
        owner_(std::move(other.owner_)),
        statement_(std::exchange(other.statement_, nullptr)),
        directory_(other.directory_),
        next_(other.next_),
        bind_status_(other.bind_status_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// Binds the next parameters. A failure shows at the next step().
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_next(values), ...);
    return *this;
  }
  /// True when there is a row. A constraint failure also sets constraint().
  Result<bool> step();
  /// step() for statements without rows.
  Result<void> run();

  /// The extended result code when the last step() broke a constraint, else 0.
  int constraint() const { return constraint_; }
  /// What broke it, in SQLite's words ("UNIQUE constraint failed: integrations.tenant_id, integrations.name").
  const std::string& constraint_text() const { return constraint_text_; }

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  /// Valid until the next step(). Serves TEXT and BLOB.
  std::string_view text(int column) const;
  std::string string(int column) const { return std::string(text(column)); }
  Timestamp time(int column) const { return Timestamp(std::chrono::milliseconds(integer(column))); }
  std::optional<Timestamp> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }
  /// The nil id for NULL and for what is not an id.
  template <class Id>
  Id id(int column) const {
    return Id::parse(text(column)).value_or(Id{});
  }
  /// An empty object for what is not JSON, which the schema's CHECKs rule out.
  JsonPtr json(int column) const;

 private:
  template <std::integral Integer>
  void bind_next(Integer value) {
    bind_integer(static_cast<std::int64_t>(value));
  }
  void bind_next(std::string_view text) { bind_text(text); }
  void bind_next(const std::string& text) { bind_text(text); }
  void bind_next(const char* text) { bind_text(text); }
  void bind_next(Blob blob) { bind_blob(blob.bytes); }
  void bind_next(std::nullopt_t) { bind_null(); }
  void bind_next(Timestamp time) { bind_integer(time.time_since_epoch().count()); }
  template <class Tag>
  void bind_next(const StrongId<Tag>& id) {
    bind_text(id.to_string());
  }
  void bind_next(const JsonPtr& json);
  template <class T>
  void bind_next(const std::optional<T>& value) {
    if (value) {
      bind_next(*value);
    } else {
      bind_null();
    }
  }
  void bind_integer(std::int64_t value);
  void bind_text(std::string_view text);
  void bind_blob(std::string_view bytes);
  void bind_null();
  void note(int status);

  sqlite3* database_;
  std::shared_ptr<sqlite3_stmt> owner_;  // shared with the cache, which may drop it first
  sqlite3_stmt* statement_;
  const std::filesystem::path& directory_;
  int next_ = 1;
  int bind_status_ = 0;
  int constraint_ = 0;
  std::string constraint_text_;
};

enum class Access : std::uint8_t { read_write, read_only };

/// One database connection, used by one thread at a time.
class Connection {
 public:
  /// Opens `file` with foreign keys on, synchronous=FULL and the small cache; a read_write connection also turns WAL
  /// on. Errors: those of error_of().
  static Result<Connection> open(const std::filesystem::path& file, Access access);

  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  /// One or more statements without parameters and rows.
  Result<void> execute(const char* sql);
  /// From the cache, compiled at first use. Errors: those of error_of().
  Result<Statement> prepare(std::string_view sql);
  /// prepare() and run(), for statements without parameters.
  Result<void> run(std::string_view sql);
  /// The number in the first column of the first row; 0 when there is none.
  Result<std::int64_t> number(std::string_view sql);
  /// Rows that the last INSERT, UPDATE or DELETE changed itself.
  std::int64_t changes() const;
  bool in_transaction() const;
  /// Whether a deferred foreign key is violated at this point of the transaction.
  bool has_open_references() const;
  /// Copies the WAL into the database as far as readers allow; with `restart` waits for readers so that the WAL can
  /// begin again.
  Result<void> checkpoint(bool restart);
  /// Pages in the WAL after the last commit of this connection.
  int wal_pages() const;
  Error error(int code) const;
  const std::filesystem::path& directory() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub::sqlite
