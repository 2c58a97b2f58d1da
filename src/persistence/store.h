#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "foundation/result.h"
#include "foundation/task.h"
#include "persistence/records.h"
#include "persistence/transaction.h"

namespace inthub {

// Ports. Every method may be called from any io_context and resumes on it; none blocks its thread. Adapters answer
// unavailable (reason "store.unavailable", "store.full", "store.busy") when the database cannot serve, and fail fast
// when more than their stated number of requests wait. A row of another tenant is not_found.

/// Most rows that one list answers; a larger limit is lowered to it, one below 1 is raised to 1.
inline constexpr int kMaxListLimit = 1'000;

/// Names sort and are searched without regard to the case of ASCII letters.
struct IntegrationFilter {
  std::string type{};    ///< exact, or empty
  std::string family{};  ///< "registry" matches "registry.*"; or empty
  std::string health{};  ///< exact, or empty
  std::string query{};   ///< case-insensitive substring of the name, or empty
  enum class Sort : std::uint8_t { name, created_at, updated_at } sort = Sort::name;
  bool descending = false;
};
struct Page {
  std::int64_t offset = 0;
  int limit = 50;
  std::string after{};  ///< keyset cursor from IntegrationPage::next; wins over offset
};
struct IntegrationPage {
  std::vector<Integration> items;
  std::int64_t total = 0;
  std::string next;  ///< opaque; empty on the last page
};
/// What the health poller keeps per integration.
struct PollTarget {
  TenantId tenant;
  IntegrationId id;
};

class IntegrationRepository {
 public:
  virtual ~IntegrationRepository() = default;
  virtual Task<Result<Integration>> find(TenantId tenant, IntegrationId id) = 0;
  virtual Task<Result<Integration>> find_by_name(TenantId tenant, std::string name) = 0;
  /// Stable order: the sort key, then the id. Errors: invalid_argument for a cursor that is not of this query.
  virtual Task<Result<IntegrationPage>> list(TenantId tenant, IntegrationFilter filter, Page page) = 0;
  /// Of all tenants, by id: for the health poller only. At most `limit`, ids greater than `after`.
  virtual Task<Result<std::vector<PollTarget>>> poll_targets(IntegrationId after, int limit) = 0;
};

class CredentialRepository {
 public:
  virtual ~CredentialRepository() = default;
  virtual Task<Result<Credential>> find(TenantId tenant, CredentialId id) = 0;
};

class TokenRepository {
 public:
  virtual ~TokenRepository() = default;
  /// Every token of every tenant; access keeps them in memory.
  virtual Task<Result<std::vector<ApiToken>>> all() = 0;
};

class EventRepository {
 public:
  virtual ~EventRepository() = default;
  /// In sequence order, `sequence > after`, at most `limit` (<= kMaxListLimit).
  virtual Task<Result<std::vector<Event>>> list(TenantId tenant, std::int64_t after, int limit) = 0;
};

class IdempotencyRepository {
 public:
  virtual ~IdempotencyRepository() = default;
  virtual Task<Result<std::optional<IdempotencyRecord>>> find(TenantId tenant, std::string key) = 0;
  /// Forgets records older than `before`.
  virtual Task<Result<std::int64_t>> expire(Timestamp before) = 0;
};

class TenantRepository {
 public:
  virtual ~TenantRepository() = default;
  virtual Task<Result<std::vector<Tenant>>> tenants() = 0;
  virtual Task<Result<std::vector<User>>> users(TenantId tenant) = 0;
};

/// One database.
class Store {
 public:
  virtual ~Store() = default;
  virtual IntegrationRepository& integrations() = 0;
  virtual CredentialRepository& credentials() = 0;
  virtual TokenRepository& tokens() = 0;
  virtual EventRepository& events() = 0;
  virtual IdempotencyRepository& idempotency() = 0;
  virtual TenantRepository& tenants() = 0;

  /// Durable when it answers a value: a crash of the process or the machine afterwards loses nothing of it. On an Error
  /// nothing of it was stored.
  virtual Task<Result<void>> commit(Transaction transaction) = 0;
  /// Whether a write would succeed now: reachable, not read-only, space left. For /readyz.
  virtual Task<Result<void>> check_writable() = 0;
};

}  // namespace inthub
