#pragma once

#include <optional>
#include <string>
#include <vector>

#include "foundation/json.h"
#include "foundation/result.h"

namespace inthub {

struct CliEnvironment;

/// The options that `integration create`, `update` and `set-credential` share. Empty or absent: not given.
struct IntegrationFlags {
  std::string type{};
  std::string name{};
  std::string config_file{};  ///< "-": standard input
  std::string endpoint{};
  std::string username{};
  std::string ca_bundle_file{};
  std::string client_certificate_file{};
  std::string auth_mode{};
  std::string proxy{};
  std::optional<double> timeout{};  ///< seconds
  bool insecure = false;
  std::vector<std::string> headers{};  ///< "Name: value"
  std::vector<std::string> sets{};     ///< "member=JSON", or text where it is no JSON
  std::vector<std::string> unsets{};   ///< "member"

  std::string credential_ref{};
  std::string secret_file{};
  bool secret_stdin = false;
  bool secret_prompt = false;

  bool test = false;
  bool force = false;
  std::string idempotency_key{};
};

/// `base` with what the flags say, in the order: --config, the flags of single members, --set, --unset. Reads the files
/// they name. Errors: invalid_argument naming the flag; a private key where a certificate belongs is refused.
Result<Json> apply_flags(Json base, const IntegrationFlags& flags, CliEnvironment& environment);

/// {"ref"} or {"secret"} for the API; null when none was given. Reads standard input, a file or the terminal.
/// Errors: invalid_argument when more than one is given, or standard input is wanted twice.
Result<Json> read_credentials(const IntegrationFlags& flags, CliEnvironment& environment);

}  // namespace inthub
