#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "credentials/file_descriptor.h"
#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

inline constexpr std::size_t kMaxSecretFileBytes = std::size_t{64} * 1024;

/// Blocking. The secret in an absolute `path` below one of `roots`, without one trailing newline. The kernel refuses to
/// leave the root or to follow a symbolic link below it (openat2(2), Linux 5.6). The file must be regular, not empty,
/// not writable by group or others, and hold at most kMaxSecretFileBytes. Errors: validation_failed with the rule that
/// is broken; internal when the kernel has no openat2.
Result<SecretPtr> read_secret_file(const std::vector<std::filesystem::path>& roots, const std::string& path);

/// Blocking. Errors: payload_too_large when there is more than `limit`; internal when reading fails.
Result<std::string> read_at_most(const FileDescriptor& file, std::size_t limit);

}  // namespace inthub
