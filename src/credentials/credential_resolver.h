#pragma once

#include "credentials/credential_ref.h"
#include "foundation/ids.h"
#include "foundation/secret.h"
#include "foundation/task.h"

namespace inthub {

/// Turns a credential ref into the secret, for the duration of one call. Implementations are thread-safe.
class CredentialResolver {
 public:
  virtual ~CredentialResolver() = default;
  /// A null SecretPtr for authref://none. Errors carry reason "authentication.credential_unresolvable", the field
  /// "/credentialRef", and never a byte of the secret.
  virtual Task<Result<SecretPtr>> resolve(TenantId tenant, const CredentialRef& ref, Deadline deadline) = 0;
};

}  // namespace inthub
