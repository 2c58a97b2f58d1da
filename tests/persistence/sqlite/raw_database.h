#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <sqlite3.h>

namespace inthub::testing_support {

/// A connection beside the store's own, as an operator's sqlite3 shell would be.
class RawDatabase {
 public:
  explicit RawDatabase(const std::filesystem::path& file) {
    sqlite3* raw = nullptr;
    const int status = sqlite3_open(file.c_str(), &raw);
    database_.reset(raw);
    if (status != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(raw));
  }

  void execute(const std::string& sql) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_.get()));
    }
  }
  /// The first column of the first row as text; empty when there is none.
  std::string value(const std::string& sql) {
    std::string text;
    const auto keep_first = [](void* out, int columns, char** values, char**) {
      auto& first = *static_cast<std::string*>(out);
      if (first.empty() && columns > 0 && values[0] != nullptr) first = values[0];
      return 0;
    };
    if (sqlite3_exec(database_.get(), sql.c_str(), keep_first, &text, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_.get()));
    }
    return text;
  }

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace inthub::testing_support
