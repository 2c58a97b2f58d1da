#pragma once

#include <memory>
#include <stdexcept>

#include "foundation/metrics.h"
#include "persistence/sqlite/sqlite_store.h"
#include "support/temporary_directory.h"

namespace inthub::testing_support {

/// An empty SQLite store in a directory of its own.
class SqliteFixture {
 public:
  static constexpr const char* kName = "Sqlite";

  SqliteFixture() { open(); }

  Store& store() { return *store_; }
  Metrics& metrics() { return metrics_; }
  const std::filesystem::path& directory() const { return directory_.path(); }
  void close() { store_.reset(); }
  void open() {
    Result<std::unique_ptr<Store>> opened = open_sqlite_store(directory_.path(), metrics_);
    if (!opened) throw std::runtime_error(opened.error().message());
    store_ = std::move(*opened);
  }

 private:
  TemporaryDirectory directory_;
  Metrics metrics_;
  std::unique_ptr<Store> store_;
};

}  // namespace inthub::testing_support
