#include <nlohmann/json.hpp>

#include "foundation/json.h"
#include "integration_manager/integration_manager.h"

namespace inthub {

std::string render_integration(const Integration& integration) {
  std::string out;
  const auto member = [&out](std::string_view name, std::string_view value) {
    out += out.empty() ? "{" : ",";
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value);
  };
  const auto raw_member = [&out](std::string_view name, std::string_view json) {
    out += ',';
    append_json_string(out, name);
    out += ':';
    out += json;
  };
  member("id", integration.id.to_string());
  member("tenantId", integration.tenant.to_string());
  member("type", integration.type);
  member("name", integration.name);
  raw_member("config", to_text(*integration.config));
  member("credentialId", integration.credential_id.to_string());
  member("credentialRef", integration.credential_ref);
  member("healthStatus", integration.health);
  raw_member("health", to_text(*integration.health_detail));
  if (integration.last_health_check) {
    member("lastHealthCheck", to_rfc3339(*integration.last_health_check));
  } else {
    raw_member("lastHealthCheck", "null");
  }
  raw_member("revision", std::to_string(integration.revision));
  member("createdAt", to_rfc3339(integration.created_at));
  member("updatedAt", to_rfc3339(integration.updated_at));
  member("createdBy", integration.created_by.to_string());
  out += '}';
  return out;
}

}  // namespace inthub
