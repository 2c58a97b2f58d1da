#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace inthub::testing_support {

/// An empty directory, mode 0700, that disappears with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }
  /// Writes a file below it, whatever the umask with exactly this mode; makes its directories.
  std::filesystem::path write(const std::string& name, std::string_view content, unsigned mode = 0600) const;

 private:
  std::filesystem::path path_;
};

}  // namespace inthub::testing_support
