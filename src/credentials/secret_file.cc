#include "credentials/secret_file.h"

#include <cerrno>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace inthub {
namespace {

std::unexpected<Error> refused(const std::string& path, std::string_view rule, std::string remedy) {
  return fail(Error(ErrorCode::validation_failed, fmt::format("the secret file {} {}", path, rule))
                  .with_remedy(std::move(remedy)));
}

/// `path` relative to `root`, when it lies below. Both are compared as written: resolving links is what must not
/// happen.
std::optional<std::string> relative_to(const std::filesystem::path& root, const std::string& path) {
  std::string prefix = root.lexically_normal().string();
  if (prefix.empty() || prefix.front() != '/') return std::nullopt;
  if (prefix.back() != '/') prefix += '/';
  if (!path.starts_with(prefix) || path.size() == prefix.size()) return std::nullopt;
  return path.substr(prefix.size());
}

FileDescriptor open_beneath(const FileDescriptor& root, const std::string& relative) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // a pipe must not block before it is refused
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // glibc has no wrapper.
  return FileDescriptor(static_cast<int>(::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how)));
}

std::unexpected<Error> open_failed(const std::string& path, int error) {
  switch (error) {
    case ENOSYS:
      return fail(Error(ErrorCode::internal, "the kernel has no openat2(2), so secret files cannot be opened safely")
                      .with_remedy("run Linux 5.6 or newer, or use authref://local/ or authref://env/"));
    case EPERM:  // also what container runtimes with an old seccomp profile answer for a system call they do not know
      return fail(
          Error(ErrorCode::internal, "openat2(2) was refused with EPERM, so secret files cannot be opened safely")
              .with_remedy("allow openat2 in the container's seccomp profile"));
    case ENOENT:
    case ENOTDIR:
      return refused(path, "does not exist", "create it, or correct the credential ref");
    case ELOOP:
    case EXDEV:
      return refused(path, "is reached through a symbolic link", "name the file itself; links are not followed");
    case EACCES:
      return refused(path, "may not be read by the hub's user", "give the hub's user read access");
    default:
      return refused(path, fmt::format("cannot be opened: {}", std::generic_category().message(error)),
                     "check the file and its directory");
  }
}

}  // namespace

Result<std::string> read_at_most(const FileDescriptor& file, std::size_t limit) {
  // One byte more than allowed shows that there is more; reserved at once, so that growing leaves no copies behind.
  std::string text(limit + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      wipe(text);
      return fail(ErrorCode::internal, fmt::format("cannot be read: {}", std::generic_category().message(error)));
    }
    size += static_cast<std::size_t>(got);
  }
  if (size > limit) {
    wipe(text);
    return fail(ErrorCode::payload_too_large, fmt::format("it has more than {} bytes", limit));
  }
  text.resize(size);
  return text;
}

Result<SecretPtr> read_secret_file(const std::vector<std::filesystem::path>& roots, const std::string& path) {
  for (const std::filesystem::path& root : roots) {
    const auto relative = relative_to(root, path);
    if (!relative) continue;
    const FileDescriptor directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
      return refused(path,
                     fmt::format("lies below {}, which cannot be opened: {}", root.string(),
                                 std::generic_category().message(errno)),
                     "make that directory exist and accessible for the hub's user");
    }
    const FileDescriptor file = open_beneath(directory, *relative);
    if (!file) return open_failed(path, errno);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return open_failed(path, errno);
    if (!S_ISREG(status.st_mode)) return refused(path, "is not a regular file", "name a regular file");
    if ((status.st_mode & 022) != 0) {
      return refused(path, "may be written by its group or by others", fmt::format("chmod go-w {}", path));
    }
    auto text = read_at_most(file, kMaxSecretFileBytes);
    if (!text && text.error().code() == ErrorCode::payload_too_large) {
      return refused(path, fmt::format("has more than {} bytes", kMaxSecretFileBytes), "store the secret alone in it");
    }
    if (!text) return fail(std::move(text).error().with_context(fmt::format("the secret file {}", path)));
    if (text->ends_with('\n')) text->pop_back();
    if (text->empty()) return refused(path, "is empty", "write the secret into it");
    return make_secret(*std::move(text));
  }
  return refused(path, "does not lie below a directory from which secrets may be read",
                 "move it, or have the operator allow its directory");
}

}  // namespace inthub
