#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "credentials/credential_resolver.h"
#include "foundation/ids.h"
#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

/// Seals secrets for the hub's own store: XChaCha20-Poly1305, a random nonce per record, the
/// tenant and credential id as associated data, so that a sealed value cannot be moved to another row. Thread-safe.
class SecretSealer {
 public:
  /// The key is 32 bytes. Sources in this order: $INTHUB_MASTER_KEY (base64; removed from the environment once read),
  /// the systemd credential $CREDENTIALS_DIRECTORY/inthub-master-key, `key_file` (mode 0600, created at first use when
  /// `may_create`). Errors: permission_denied when the file is readable by others; invalid_argument when it is not a
  /// key.
  static Result<std::unique_ptr<SecretSealer>> load(const std::filesystem::path& key_file, bool may_create);
  static std::unique_ptr<SecretSealer> from_key_for_test(const std::string& key);
  ~SecretSealer();

  /// First 8 bytes of the key's BLAKE2b hash, hexadecimal: tells which key sealed a record.
  const std::string& key_id() const;
  std::string seal(TenantId tenant, CredentialId id, const Secret& secret) const;
  /// Errors: internal, reason "credential.unsealable", when the key is another or the bytes were changed.
  Result<SecretPtr> open(TenantId tenant, CredentialId id, std::string_view sealed, std::string_view key_id) const;

 private:
  SecretSealer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where sealed bytes of authref://local/… come from; persistence is on the same floor, so the composition root
/// connects the two.
struct SealedCredential {
  std::string sealed;
  std::string key_id;
};
using SealedCredentialSource = std::function<Task<Result<SealedCredential>>(TenantId, CredentialId)>;

struct ResolverOptions {
  std::vector<std::string> env_allowed;  ///< names besides the INTHUB_SECRET_ prefix
  std::vector<std::filesystem::path>
      file_roots;  ///< authref://file/… must lie below one of them; empty: none may be read
};
/// Resolves none, env, file and local refs. vault refs answer unsupported until vault integration types exist. env
/// values are captured at construction. Files are opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), must be
/// regular, not writable by group or others, at most 64 KiB; one trailing newline is stripped; "#field" picks a
/// top-level key or a JSON pointer.
std::unique_ptr<CredentialResolver> make_credential_resolver(ResolverOptions options, const SecretSealer& sealer,
                                                             SealedCredentialSource source);

}  // namespace inthub
