#pragma once

#include <filesystem>

#include "foundation/result.h"

namespace inthub::sqlite {

/// The hub's data directory while this process owns it. Movable; gives the lock back on destruction.
class DataDirectory {
 public:
  /// Creates the directory (mode 0700) where it is missing, takes DIR/hub.lock and creates DIR/inthub.db (mode 0600).
  /// The lock is an flock(2): the kernel releases it when the process ends, however it ends, so a stale file locks
  /// nobody out. Errors: conflict, reason "store.locked", with the process id that holds it; unavailable, reason
  /// "store.unavailable", with what the operating system said.
  static Result<DataDirectory> acquire(const std::filesystem::path& directory);

  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  const std::filesystem::path& database() const { return database_; }

 private:
  DataDirectory(std::filesystem::path database, int lock);
  std::filesystem::path database_;
  int lock_;
};

}  // namespace inthub::sqlite
