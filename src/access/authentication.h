#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/principal.h"
#include "foundation/clock.h"
#include "foundation/result.h"
#include "foundation/secret.h"
#include "foundation/task.h"
#include "persistence/records.h"

namespace inthub {

class RandomSource;
class Store;

/// A new API token: what is stored, and the text shown once ("inthub_" and 43 characters of base64url, 256 random
/// bits).
struct IssuedToken {
  ApiToken record;
  SecretPtr text;
};
IssuedToken issue_token(TenantId tenant, UserId user, std::string name, Permission permission, const Clock& clock,
                        RandomSource& random);

/// A longer credential is refused unread.
inline constexpr std::size_t kMaxTokenBytes = 256;

/// Decides who a request comes from. Keeps the tokens' hashes in memory; check() takes no lock that a writer holds for
/// long and never touches the database. Thread-safe.
class Authentication {
 public:
  explicit Authentication(const Clock& clock);
  ~Authentication();
  /// Replaces what is known; call at start and after tokens change. The principal gets the highest of a token's
  /// permissions; a token without any known one is left out, with a warning in the log.
  void load(const std::vector<ApiToken>& tokens);
  /// `authorization` is the header's value, empty when absent; "Bearer" is accepted in any letter case (RFC 9110
  /// section 11.1). Errors: unauthenticated, the same for a missing, malformed, unknown or expired token.
  Result<Principal> check(std::string_view authorization) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// At the first start of an empty store: one tenant "default", one user "admin", one admin token. Returns the token's
/// text then, and null at every later start.
Task<Result<SecretPtr>> bootstrap_access(Store& store, const Clock& clock, RandomSource& random);

}  // namespace inthub
