#pragma once

#include <filesystem>
#include <memory>

#include "foundation/result.h"
#include "persistence/store.h"

namespace inthub {

class Metrics;

/// Opens DIR/inthub.db (directory created with mode 0700, file with 0600; WAL, synchronous=FULL), takes the exclusive
/// lock DIR/hub.lock, migrates. One writer thread commits waiting transactions together (group commit: one fsync for up
/// to 256 of them, a refused one is undone alone); two reader threads serve the repositories. Errors: conflict, reason
/// "store.locked", when another hub has the directory; internal, reason "store.newer_schema", when the database was
/// migrated by a newer binary, and "store.foreign" when it is another program's; unavailable otherwise:
/// "store.corrupt", "store.full", or "store.unavailable" with the operating system's reason.
///
/// At most 10,000 writes and 10,000 reads wait; further ones answer unavailable, reason "store.busy". Destroy the store
/// before the io_contexts of its callers: it finishes what waits, then joins its threads.
///
/// Metrics: inthub_store_commit_batches_total, inthub_store_transactions_total{outcome=committed|refused|failed},
/// inthub_store_commit_seconds, inthub_store_rejected_total{queue=read|write}.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& directory, Metrics& metrics);

}  // namespace inthub
