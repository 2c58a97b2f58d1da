#pragma once

#include <string>
#include <vector>

#include "foundation/http_url.h"
#include "foundation/json.h"
#include "foundation/result.h"

namespace inthub::oci {

/// The members of the config that the connector itself reads; transport, retry and authentication read theirs.
struct OciConfig {
  HttpUrl endpoint;
  std::string auth_mode;                  ///< "token", "mtls" or "oauth"
  std::vector<std::string> repositories;  ///< stands in for a catalog that the registry does not give
  std::string test_repository;  ///< read by the connection test; empty: the first of `repositories`, else the catalog
  std::string platform;         ///< what "default" means as a platform
};
/// Errors: validation_failed where a member is missing or malformed, which the schema and check_rules() rule out.
Result<OciConfig> read_config(const Json& config);

/// JSON Schema draft-07 of the config. One shared value.
JsonPtr config_schema();

/// The rules of IntegrationType::check_rules for this type.
std::vector<Violation> check_rules(const Json& config, bool has_credential);

}  // namespace inthub::oci
