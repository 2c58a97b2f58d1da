#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/integration_type.h"
#include "foundation/json.h"
#include "foundation/json_schema.h"
#include "foundation/result.h"

namespace inthub {

/// What an integration must satisfy to be stored: the type's JSON Schema, and the rules that hold for every type:
///   name         1 to 120 characters of UTF-8 without control characters or blanks at either end; neither a UUID nor
///   one of the
///                words that a credential ref reserves (local, env, file, none), so that a name never reads as
///                something else
///   endpoint     an absolute http or https URL without user name, query or fragment
///   customHeaders  field names per RFC 9110; none that carries a credential, frames the message or names the host
/// Immutable after construction, thread-safe.
class IntegrationRules {
 public:
  /// Errors: internal when a registered type's schema does not compile.
  static Result<IntegrationRules> make(const ConnectorRegistry& connectors);

  /// Violations of the name, with the pointer "/name".
  static std::vector<Violation> check_name(std::string_view name);
  /// Violations of the config, with pointers below "/config". `has_credential`: the ref is not authref://none.
  std::vector<Violation> check_config(const IntegrationType& type, const Json& config, bool has_credential) const;

 private:
  std::map<std::string, JsonSchema, std::less<>> schemas_;
};

}  // namespace inthub
