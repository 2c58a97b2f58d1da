#include "persistence/sqlite/data_directory.h"

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace inthub::sqlite {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

std::unexpected<Error> system_failure(std::string_view what, const std::filesystem::path& path, int error) {
  return fail(
      Error(ErrorCode::unavailable,
            fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(error)))
          .with_reason("store.unavailable")
          .with_remedy("the data directory must lie on a local file system and belong to the user that runs the hub"));
}

/// Whoever holds the lock wrote its process id into it; empty when it has not got that far.
std::string holder_of(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t i = 0; i < size; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    if (c < '0' || c > '9') break;
    pid += c;
  }
  return pid;
}

Result<void> make_directory(const std::filesystem::path& directory) {
  std::filesystem::path built;
  for (const std::filesystem::path& part : directory) {
    built /= part;
    if (built.empty() || ::mkdir(built.c_str(), kDirectoryMode) == 0 || errno == EEXIST) continue;
    const int reason = errno;
    struct stat found{};
    // On a read-only parent mkdir may say EROFS although the directory is there.
    if (::stat(built.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) continue;
    return system_failure("cannot create the data directory", built, reason);
  }
  return {};
}

/// Makes the entries themselves survive a power failure, not only the bytes in the files.
void sync_directory(const std::filesystem::path& directory) {
  const FileDescriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

}  // namespace

DataDirectory::DataDirectory(std::filesystem::path database, int lock) : database_(std::move(database)), lock_(lock) {}
DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : database_(std::move(other.database_)), lock_(std::exchange(other.lock_, -1)) {}
DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

Result<DataDirectory> DataDirectory::acquire(const std::filesystem::path& directory) {
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(directory, ignored).lexically_normal();
  if (Result<void> made = make_directory(absolute); !made) return fail(std::move(made).error());

  const std::filesystem::path lock_path = absolute / "hub.lock";
  FileDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (lock.get() < 0) return system_failure("cannot open", lock_path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    if (reason != EWOULDBLOCK) return system_failure("cannot lock", lock_path, reason);
    const std::string pid = holder_of(lock.get());
    Error error(ErrorCode::conflict,
                fmt::format("another hub{} uses the data directory {}",
                            pid.empty() ? "" : fmt::format(" (process {})", pid), absolute.string()));
    return fail(std::move(error)
                    .with_reason("store.locked")
                    .with_detail("pid", pid)
                    .with_remedy("stop that hub, or give this one a data directory of its own"));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return system_failure("cannot write", lock_path, errno);
  }

  // Created here because SQLite would give it the process's umask; its -wal and -shm files copy this mode.
  std::filesystem::path database = absolute / "inthub.db";
  const FileDescriptor file(::open(database.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (file.get() < 0) return system_failure("cannot open", database, errno);
  if (::fchmod(file.get(), kFileMode) != 0) return system_failure("cannot restrict the mode of", database, errno);
  sync_directory(absolute);
  sync_directory(absolute.parent_path());
  return DataDirectory(std::move(database), lock.release());
}

}  // namespace inthub::sqlite
