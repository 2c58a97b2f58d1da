#include "persistence/sqlite/queries.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/log.h"
#include "persistence/list_cursor.h"

namespace inthub::sqlite {
namespace {

// The order that read_integration() reads.
#define INTEGRATION_COLUMNS                                                                                       \
  "id, tenant_id, type_id, name, config, credential_id, credential_ref, revision, health_status, health_detail, " \
  "last_health_check, created_at, updated_at, created_by"

Integration read_integration(const Statement& row) {
  return {.id = row.id<IntegrationId>(0),
          .tenant = row.id<TenantId>(1),
          .type = row.string(2),
          .name = row.string(3),
          .config = row.json(4),
          .credential_id = row.id<CredentialId>(5),
          .credential_ref = row.string(6),
          .revision = row.integer(7),
          .health = row.string(8),
          .health_detail = row.json(9),
          .last_health_check = row.optional_time(10),
          .created_at = row.time(11),
          .updated_at = row.time(12),
          .created_by = row.id<UserId>(13)};
}

/// All rows of a statement, each through `read`.
template <class T, class Read, class... Values>
Result<std::vector<T>> collect(Connection& connection, std::string_view sql, const Read& read,
                               const Values&... values) {
  Result<Statement> statement = connection.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  statement->bind(values...);
  std::vector<T> rows;
  for (;;) {
    const Result<bool> row = statement->step();
    if (!row) return fail(row.error());
    if (!*row) return rows;
    rows.push_back(read(*statement));
  }
}

/// The only row, or nothing.
template <class T, class Read, class... Values>
Result<std::optional<T>> find_one(Connection& connection, std::string_view sql, const Read& read,
                                  const Values&... values) {
  Result<Statement> statement = connection.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  const Result<bool> row = statement->bind(values...).step();
  if (!row) return fail(row.error());
  if (!*row) return std::optional<T>();
  return std::optional<T>(read(*statement));
}

/// A filter as SQL terms and the values of their parameters, in the same order. Absent parts make no term.
class FilterTerms {
 public:
  FilterTerms(TenantId tenant, const IntegrationFilter& filter) : tenant_(tenant) {
    if (!filter.type.empty()) add("type_id = ?", filter.type);
    if (!filter.family.empty()) {
      add("type_id >= ?", filter.family + ".");
      add("type_id < ?", filter.family + "/");  // '/' follows '.' in ASCII
    }
    if (!filter.health.empty()) add("health_status = ?", filter.health);
    if (!filter.query.empty()) add(R"(name LIKE ? ESCAPE '\')", "%" + escaped(filter.query) + "%");
  }
  const std::string& sql() const { return sql_; }
  void bind(Statement& statement) const {
    statement.bind(tenant_);
    for (const std::string& value : values_) statement.bind(value);
  }

 private:
  void add(std::string_view term, std::string value) {
    sql_.append(" AND ").append(term);
    values_.push_back(std::move(value));
  }
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '%' || c == '_' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  }

  TenantId tenant_;
  std::string sql_ = "tenant_id = ?";
  std::vector<std::string> values_;
};

/// So few matches are fetched by an index on the filter and then sorted. More are dense enough to be met soon by
/// walking along the index of the sort order; walking to find a few would look at every integration of the tenant.
constexpr std::int64_t kFewMatches = 1'000;

std::string_view sort_column(IntegrationFilter::Sort sort) {
  switch (sort) {
    case IntegrationFilter::Sort::created_at:
      return "created_at";
    case IntegrationFilter::Sort::updated_at:
      return "updated_at";
    case IntegrationFilter::Sort::name:
      break;
  }
  return "name COLLATE NOCASE";
}

/// Of the row that ends a page.
std::string sort_key(const IntegrationFilter& filter, const Integration& last) {
  switch (filter.sort) {
    case IntegrationFilter::Sort::created_at:
      return std::to_string(last.created_at.time_since_epoch().count());
    case IntegrationFilter::Sort::updated_at:
      return std::to_string(last.updated_at.time_since_epoch().count());
    case IntegrationFilter::Sort::name:
      break;
  }
  return last.name;
}

/// The index that finds few matches; empty where the one of the sort order serves.
std::string_view filter_index(const IntegrationFilter& filter, std::int64_t matches) {
  if (matches > kFewMatches) return {};
  if (!filter.type.empty() || !filter.family.empty()) return "INDEXED BY idx_integrations_by_type";
  if (!filter.health.empty()) return "INDEXED BY idx_integrations_by_health";
  return {};
}

std::string_view sort_index(IntegrationFilter::Sort sort) {
  switch (sort) {
    case IntegrationFilter::Sort::created_at:
      return "INDEXED BY idx_integrations_by_created";
    case IntegrationFilter::Sort::updated_at:
      return "INDEXED BY idx_integrations_by_updated";
    case IntegrationFilter::Sort::name:
      break;
  }
  return "INDEXED BY idx_integrations_by_name";
}

std::string list_sql(const FilterTerms& terms, const IntegrationFilter& filter, bool from_cursor,
                     std::int64_t matches) {
  const std::string_view column = sort_column(filter.sort);
  const std::string_view direction = filter.descending ? "DESC" : "ASC";
  const char compare = filter.descending ? '<' : '>';
  const std::string_view few = filter_index(filter, matches);
  // The first comparison finds the place in the index: SQLite 3.40 does not use an index for a row value with a
  // collation.
  const std::string after =
      from_cursor ? fmt::format("AND {0} {1}= ? AND ({0}, id) {1} (?, ?)", column, compare) : std::string();
  return fmt::format("SELECT " INTEGRATION_COLUMNS
                     " FROM integrations {} WHERE {} {} ORDER BY {} {}, id {} LIMIT ? OFFSET ?",
                     few.empty() ? sort_index(filter.sort) : few, terms.sql(), after, column, direction, direction);
}

Result<std::int64_t> count_integrations(Connection& connection, const FilterTerms& terms,
                                        const IntegrationFilter& filter) {
  // Rows are only counted when names are searched; otherwise the totals are kept as rows change.
  const std::string sql =
      filter.query.empty()
          ? fmt::format("SELECT coalesce(sum(total), 0) FROM integration_counts WHERE {}", terms.sql())
          : fmt::format("SELECT count(*) FROM integrations INDEXED BY idx_integrations_by_name WHERE {}", terms.sql());
  Result<Statement> statement = connection.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  terms.bind(*statement);
  const Result<bool> row = statement->step();
  if (!row) return fail(row.error());
  return *row ? statement->integer(0) : 0;
}

void bind_cursor(Statement& statement, const IntegrationFilter& filter, const ListCursor& cursor) {
  if (filter.sort == IntegrationFilter::Sort::name) {
    statement.bind(cursor.key, cursor.key, cursor.last);
    return;
  }
  std::int64_t milliseconds = 0;
  std::from_chars(cursor.key.data(), cursor.key.data() + cursor.key.size(), milliseconds);
  statement.bind(milliseconds, milliseconds, cursor.last);
}

Result<std::vector<Integration>> list_rows(Connection& connection, const FilterTerms& terms,
                                           const IntegrationFilter& filter, const std::optional<ListCursor>& cursor,
                                           std::int64_t matches, std::int64_t limit, std::int64_t offset) {
  std::vector<Integration> rows;
  if (offset >= matches) return rows;
  Result<Statement> statement = connection.prepare(list_sql(terms, filter, cursor.has_value(), matches));
  if (!statement) return fail(std::move(statement).error());
  terms.bind(*statement);
  if (cursor) bind_cursor(*statement, filter, *cursor);
  statement->bind(limit, offset);
  for (;;) {
    const Result<bool> row = statement->step();
    if (!row) return fail(row.error());
    if (!*row) return rows;
    rows.push_back(read_integration(*statement));
  }
}

/// A read transaction: the statements inside see one state of the database.
class Snapshot {
 public:
  explicit Snapshot(Connection& connection) : connection_(connection), begun_(connection.execute("BEGIN")) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() {
    if (!connection_.in_transaction()) return;
    // Nothing was written, so nothing is lost.
    if (const Result<void> ended = connection_.execute("ROLLBACK"); !ended) {
      log::warning("a database snapshot could not be given back", {{"error", ended.error().message()}});
    }
  }
  const Result<void>& begun() const { return begun_; }

 private:
  Connection& connection_;
  Result<void> begun_;
};

/// The row, or `missing` when there is none.
template <class T>
Result<T> required(Result<std::optional<T>> found, Error missing) {
  if (!found) return fail(std::move(found).error());
  std::optional<T> row = std::move(*found);
  if (!row) return fail(std::move(missing));
  return std::move(*row);
}

Error no_integration(std::string message) {
  return Error(ErrorCode::not_found, std::move(message)).with_reason("integration.not_found");
}

int bounded(int limit) {
  return std::clamp(limit, 1, kMaxListLimit);
}

}  // namespace

Result<Integration> find_integration(Connection& connection, TenantId tenant, IntegrationId id) {
  Result<std::optional<Integration>> found = find_one<Integration>(
      connection, "SELECT " INTEGRATION_COLUMNS " FROM integrations WHERE id = ? AND tenant_id = ?", read_integration,
      id, tenant);
  return required(std::move(found), no_integration(fmt::format("no integration has the id {}", id.to_string())));
}

Result<Integration> find_integration_by_name(Connection& connection, TenantId tenant, const std::string& name) {
  Result<std::optional<Integration>> found = find_one<Integration>(
      connection, "SELECT " INTEGRATION_COLUMNS " FROM integrations WHERE tenant_id = ? AND name = ?", read_integration,
      tenant, name);
  return required(std::move(found), no_integration(fmt::format("no integration has the name \"{}\"", name)));
}

Result<IntegrationPage> list_integrations(Connection& connection, TenantId tenant, const IntegrationFilter& filter,
                                          const Page& page) {
  std::optional<ListCursor> cursor;
  if (!page.after.empty()) {
    Result<ListCursor> decoded = decode_cursor(tenant, filter, page.after);
    if (!decoded) return fail(std::move(decoded).error());
    cursor = std::move(*decoded);
  }
  const int limit = bounded(page.limit);
  const std::int64_t offset = cursor ? 0 : std::max<std::int64_t>(page.offset, 0);
  const FilterTerms terms(tenant, filter);
  const Snapshot snapshot(connection);
  if (!snapshot.begun()) return fail(snapshot.begun().error());
  const Result<std::int64_t> total = count_integrations(connection, terms, filter);
  if (!total) return fail(total.error());
  // One row more than asked for tells whether there is a next page.
  Result<std::vector<Integration>> rows =
      list_rows(connection, terms, filter, cursor, *total, std::int64_t{limit} + 1, offset);
  if (!rows) return fail(std::move(rows).error());
  IntegrationPage answer{.items = std::move(*rows), .total = *total, .next = {}};
  if (answer.items.size() > static_cast<std::size_t>(limit)) {
    answer.items.pop_back();
    const Integration& last = answer.items.back();
    answer.next = encode_cursor(tenant, filter, {.key = sort_key(filter, last), .last = last.id});
  }
  return answer;
}

Result<std::vector<PollTarget>> poll_targets(Connection& connection, IntegrationId after, int limit) {
  return collect<PollTarget>(
      connection, "SELECT tenant_id, id FROM integrations WHERE id > ? ORDER BY id LIMIT ?",
      [](const Statement& row) { return PollTarget{.tenant = row.id<TenantId>(0), .id = row.id<IntegrationId>(1)}; },
      after, bounded(limit));
}

Result<Credential> find_credential(Connection& connection, TenantId tenant, CredentialId id) {
  Result<std::optional<Credential>> found = find_one<Credential>(
      connection,
      "SELECT id, tenant_id, ref, sealed, key_id, created_at, rotated_at FROM credentials WHERE tenant_id = ? AND id = "
      "?",
      [](const Statement& row) {
        return Credential{.id = row.id<CredentialId>(0),
                          .tenant = row.id<TenantId>(1),
                          .ref = row.string(2),
                          .sealed = row.string(3),
                          .key_id = row.string(4),
                          .created_at = row.time(5),
                          .rotated_at = row.optional_time(6)};
      },
      tenant, id);
  return required(std::move(found),
                  Error(ErrorCode::not_found, fmt::format("no credential has the id {}", id.to_string()))
                      .with_reason("credential.not_found"));
}

Result<std::vector<ApiToken>> all_tokens(Connection& connection) {
  return collect<ApiToken>(
      connection,
      "SELECT id, tenant_id, user_id, name, sha256, permissions, created_at, expires_at FROM tokens ORDER BY id",
      [](const Statement& row) {
        ApiToken token{.id = row.id<TokenId>(0),
                       .tenant = row.id<TenantId>(1),
                       .user = row.id<UserId>(2),
                       .name = row.string(3),
                       .sha256 = row.string(4),
                       .permissions = {},
                       .created_at = row.time(6),
                       .expires_at = row.optional_time(7)};
        for (const Json& word : *row.json(5)) {
          if (word.is_string()) token.permissions.push_back(word.get<std::string>());
        }
        return token;
      });
}

Result<std::vector<Event>> list_events(Connection& connection, TenantId tenant, std::int64_t after, int limit) {
  return collect<Event>(
      connection,
      "SELECT sequence, id, tenant_id, type, subject, document, occurred_at FROM events "
      "WHERE tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
      [](const Statement& row) {
        return Event{.sequence = row.integer(0),
                     .id = row.id<EventId>(1),
                     .tenant = row.id<TenantId>(2),
                     .type = row.string(3),
                     .subject = row.string(4),
                     .document = row.json(5),
                     .occurred_at = row.time(6)};
      },
      tenant, after, bounded(limit));
}

Result<std::optional<IdempotencyRecord>> find_idempotency(Connection& connection, TenantId tenant,
                                                          const std::string& key) {
  return find_one<IdempotencyRecord>(
      connection,
      "SELECT tenant_id, key, request_sha256, status, body, location, created_at FROM idempotency_keys WHERE tenant_id "
      "= ? AND key = ?",
      [](const Statement& row) {
        return IdempotencyRecord{.tenant = row.id<TenantId>(0),
                                 .key = row.string(1),
                                 .request_sha256 = row.string(2),
                                 .status = static_cast<int>(row.integer(3)),
                                 .body = row.string(4),
                                 .location = row.string(5),
                                 .created_at = row.time(6)};
      },
      tenant, key);
}

Result<std::vector<Tenant>> all_tenants(Connection& connection) {
  return collect<Tenant>(connection, "SELECT id, name, created_at FROM tenants ORDER BY id", [](const Statement& row) {
    return Tenant{.id = row.id<TenantId>(0), .name = row.string(1), .created_at = row.time(2)};
  });
}

Result<std::vector<User>> users_of(Connection& connection, TenantId tenant) {
  return collect<User>(
      connection, "SELECT id, tenant_id, name, created_at FROM users WHERE tenant_id = ? ORDER BY id",
      [](const Statement& row) {
        return User{
            .id = row.id<UserId>(0), .tenant = row.id<TenantId>(1), .name = row.string(2), .created_at = row.time(3)};
      },
      tenant);
}

}  // namespace inthub::sqlite
