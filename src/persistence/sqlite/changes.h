#pragma once

#include "foundation/result.h"
#include "persistence/sqlite/connection.h"
#include "persistence/transaction.h"

namespace inthub::sqlite {

/// Applies the changes in order inside the savepoint that the caller opened and will roll back on an error. May be
/// called again after that. Errors: those that transaction.h names, and those of error_of().
Result<void> apply(Connection& connection, const Transaction& transaction);

/// Deletes at most `limit` idempotency records older than `before`; returns how many.
Result<std::int64_t> expire_idempotency(Connection& connection, Timestamp before, int limit);

/// Writes the probe row.
Result<void> write_probe(Connection& connection);

}  // namespace inthub::sqlite
