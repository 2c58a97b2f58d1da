#include "credentials/master_key.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include "credentials/file_descriptor.h"
#include "credentials/secret_file.h"
#include "foundation/encoding.h"
#include "foundation/secret.h"

namespace inthub {
namespace {

constexpr const char* kEnvironmentVariable = "INTHUB_MASTER_KEY";
constexpr const char* kCredentialName = "inthub-master-key";

std::string describe_errno(int error) {
  return std::generic_category().message(error);
}

/// 32 raw bytes, or their base64 with or without a line end. Wipes `text`.
Result<MasterKey> parse_key(std::string text, std::string_view where) {
  if (text.size() == kMasterKeyBytes) {
    MasterKey key = make_master_key(text);
    wipe(text);
    return key;
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  auto bytes = base64_decode(text);
  wipe(text);
  const bool is_key = bytes && bytes->size() == kMasterKeyBytes;
  if (!is_key) {
    if (bytes) wipe(*bytes);
    return fail(
        Error(ErrorCode::invalid_argument,
              fmt::format("{} does not hold a master key: {} bytes in base64 are expected", where, kMasterKeyBytes))
            .with_reason("credential.bad_master_key")
            .with_remedy("restore the key from its backup, or make a new one with: openssl rand -base64 32"));
  }
  MasterKey key = make_master_key(*bytes);
  wipe(*bytes);
  return key;
}

std::optional<std::string> take_from_environment() {
  char* value = std::getenv(kEnvironmentVariable);
  if (value == nullptr || *value == '\0') return std::nullopt;
  std::string text(value);
  // The process's first environment stays readable in /proc/PID/environ, so unsetting alone would not hide it.
  sodium_memzero(value, std::strlen(value));
  ::unsetenv(kEnvironmentVariable);
  return text;
}

Result<MasterKey> read_key_file(const FileDescriptor& file, const std::string& name, bool must_be_private) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) {
    return fail(ErrorCode::internal, fmt::format("master key file {}: {}", name, describe_errno(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, fmt::format("master key file {} is not a regular file", name));
  }
  if (must_be_private && (status.st_mode & 077) != 0) {
    return fail(Error(ErrorCode::permission_denied,
                      fmt::format("master key file {} has mode {:04o}: others than its owner have access", name,
                                  status.st_mode & 07777))
                    .with_reason("credential.master_key_exposed")
                    .with_remedy(fmt::format("chmod 600 {}", name)));
  }
  if (must_be_private && status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail(Error(ErrorCode::permission_denied, fmt::format("master key file {} belongs to another user", name))
                    .with_reason("credential.master_key_exposed")
                    .with_remedy("make the hub's user its owner"));
  }
  auto text = read_at_most(file, kMaxSecretFileBytes);
  if (!text) return fail(std::move(text).error().with_context(fmt::format("master key file {}", name)));
  return parse_key(*std::move(text), fmt::format("the file {}", name));
}

/// Complete or not there at all: written beside, then linked under its name, which fails when another process was
/// faster.
Result<void> create_key_file(const std::filesystem::path& key_file) {
  std::array<unsigned char, kMasterKeyBytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string text = base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) + "\n";
  sodium_memzero(bytes.data(), bytes.size());

  const std::filesystem::path directory = key_file.has_parent_path() ? key_file.parent_path() : ".";
  const std::string beside = fmt::format("{}.{}.new", key_file.string(), ::getpid());
  const auto failed = [&](std::string_view step, int error) {
    ::unlink(beside.c_str());
    wipe(text);
    return fail(Error(ErrorCode::internal, fmt::format("create the master key file {}: {}: {}", key_file.string(), step,
                                                       describe_errno(error)))
                    .with_remedy("make its directory exist and writable for the hub's user"));
  };
  const FileDescriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return failed("open", errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed("write", errno);
  if (::fsync(file.get()) != 0) return failed("fsync", errno);
  if (::link(beside.c_str(), key_file.c_str()) != 0 && errno != EEXIST) return failed("link", errno);
  ::unlink(beside.c_str());
  wipe(text);
  const FileDescriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0) return failed("fsync of its directory", errno);
  return {};
}

}  // namespace

void SodiumFree::operator()(unsigned char* bytes) const noexcept {
  sodium_free(bytes);
}

MasterKey make_master_key(std::string_view bytes) {
  if (sodium_init() < 0 || bytes.size() != kMasterKeyBytes) throw std::bad_alloc();
  MasterKey key(static_cast<unsigned char*>(sodium_malloc(kMasterKeyBytes)));
  if (!key) throw std::bad_alloc();
  std::memcpy(key.get(), bytes.data(), kMasterKeyBytes);
  sodium_mprotect_readonly(key.get());
  return key;
}

Result<MasterKey> load_master_key(const std::filesystem::path& key_file, bool may_create) {
  if (sodium_init() < 0) return fail(ErrorCode::internal, "libsodium cannot be initialised");
  if (auto text = take_from_environment()) {
    return parse_key(*std::move(text), fmt::format("the environment variable {}", kEnvironmentVariable));
  }
  if (const char* directory = std::getenv("CREDENTIALS_DIRECTORY"); directory != nullptr && *directory != '\0') {
    const std::string name = (std::filesystem::path(directory) / kCredentialName).string();
    const FileDescriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    // systemd keeps this directory from other users; its files' modes differ between versions.
    if (file) return read_key_file(file, name, false);
    if (errno != ENOENT) {
      return fail(ErrorCode::permission_denied, fmt::format("systemd credential {}: {}", name, describe_errno(errno)));
    }
  }
  for (bool created = false;; created = true) {
    const FileDescriptor file(::open(key_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file) return read_key_file(file, key_file.string(), true);
    const int error = errno;
    if (error == ENOENT && may_create && !created) {
      if (auto made = create_key_file(key_file); !made) return fail(std::move(made).error());
      continue;
    }
    if (error == ENOENT) {
      return fail(
          Error(ErrorCode::not_found, fmt::format("there is no master key: {} does not exist", key_file.string()))
              .with_reason("credential.no_master_key")
              .with_remedy(fmt::format("restore the file from its backup or set {}", kEnvironmentVariable)));
    }
    return fail(Error(ErrorCode::permission_denied,
                      fmt::format("master key file {}: {}", key_file.string(),
                                  error == ELOOP ? "it is a symbolic link" : describe_errno(error)))
                    .with_reason("credential.master_key_unreadable"));
  }
}

}  // namespace inthub
