#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/error.h"
#include "foundation/headers.h"
#include "foundation/secret.h"

namespace inthub {

struct ConnectionTest;
struct HealthReport;

/// The secrets that one call has touched: the credential, and what the authenticator made of it. Whatever leaves the
/// call as text for people passes through clean(). Not thread-safe.
class CallSecrets {
 public:
  /// Further secrets of one call are not taken beyond this many; a call uses one credential and a few tokens.
  static constexpr std::size_t kMostSecrets = 32;
  /// Longer messages are cut.
  static constexpr std::size_t kMostMessageBytes = 2048;

  /// A credential of the form "user:password" is also remembered by its password alone. Null is ignored.
  void remember(const SecretPtr& secret);
  /// The values of credential headers, with and without their scheme ("Bearer …").
  void remember_headers(const Headers& headers);

  std::string clean(std::string_view text) const;
  Error clean(const Error& error) const;
  void clean(ConnectionTest& test) const;
  void clean(HealthReport& report) const;

 private:
  void add(std::string_view value);
  std::vector<SecretPtr> secrets_;
};

}  // namespace inthub
