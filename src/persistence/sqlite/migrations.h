#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "foundation/result.h"
#include "persistence/sqlite/connection.h"

namespace inthub::sqlite {

/// One step of the schema. A released migration is never edited; a change is a new one.
struct Migration {
  std::int64_t version;
  std::string_view name;
  const char* sql;
};

/// PRAGMA application_id of a hub's database ("IHub"), shown by file(1) and checked before anything is written.
inline constexpr std::int64_t kApplicationId = 0x49487562;

/// All migrations; the first has version 1 and each next one is greater by one.
std::span<const Migration> migrations();
/// The version that this binary writes.
std::int64_t newest_version();

/// Brings the database to version `target`, each step in a transaction of its own that also records its version, so
/// that a crash leaves a whole version behind. Forward only. Errors: internal, reason "store.newer_schema" when a newer
/// binary migrated the database, "store.foreign" when it is not a hub's database; otherwise those of error_of().
Result<void> migrate(Connection& connection, std::int64_t target = newest_version());

}  // namespace inthub::sqlite
