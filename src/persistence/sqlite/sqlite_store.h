#pragma once

#include "foundation/result.h"
#include "persistence/store.h"

#include <filesystem>
#include <memory>

namespace inthub {

class Metrics;

/// Opens DIR/inthub.db (created with mode 0600, WAL, synchronous=FULL), takes the exclusive lock DIR/hub.lock, migrates.
/// One writer thread commits waiting transactions together (group commit); a few reader threads serve the repositories.
/// Errors: conflict, reason "store.locked", when another hub has the directory; failed with reason "store.newer_schema" when the database
/// was migrated by a newer binary; unavailable with the operating system's reason otherwise.
/// At most 10,000 requests wait; further ones answer unavailable, reason "store.busy".
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& directory, Metrics& metrics);

}  // namespace inthub
