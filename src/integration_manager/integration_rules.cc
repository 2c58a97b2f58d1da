#include "integration_manager/integration_rules.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/headers.h"
#include "foundation/http_url.h"
#include "foundation/ids.h"
#include "foundation/redact.h"

namespace inthub {
namespace {

constexpr std::size_t kMaxNameCharacters = 120;
constexpr std::size_t kMaxConfigBytes = std::size_t{256} << 10;

// Set by the hub itself for every message (RFC 9110 section 7.6.1, RFC 9112 section 6).
constexpr std::array<std::string_view, 12> kMessageHeaders{
    "host",    "content-length", "transfer-encoding", "connection", "te",          "trailer",
    "upgrade", "keep-alive",     "proxy-connection",  "expect",     "traceparent", "accept-encoding"};

bool is_token(std::string_view text) {  // RFC 9110 section 5.6.2
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

void check_endpoint(const Json& config, std::vector<Violation>& found) {
  const auto endpoint = config.find("endpoint");
  if (endpoint == config.end() || !endpoint->is_string()) return;  // the schema says so
  const auto url = HttpUrl::parse(endpoint->get_ref<const std::string&>());
  if (!url) {
    found.push_back({.field = "/config/endpoint", .message = url.error().message(), .code = "format"});
  } else if (!url->query.empty()) {
    found.push_back({.field = "/config/endpoint", .message = "must not have a query (\"?…\")", .code = "format"});
  }
}

void check_custom_headers(const Json& config, std::vector<Violation>& found) {
  const auto headers = config.find("customHeaders");
  if (headers == config.end() || !headers->is_object()) return;
  for (const auto& [name, value] : headers->items()) {
    const std::string field = "/config/customHeaders/" + pointer_token(name);
    if (!is_token(name)) {
      found.push_back(
          {.field = field, .message = "is not an HTTP field name (RFC 9110 section 5.1)", .code = "format"});
    } else if (is_credential_header(name)) {
      found.push_back({.field = field,
                       .message = "would carry a credential; give it as the integration's credential instead "
                                  "(\"credentials\"), where it is stored sealed",
                       .code = "credential_header"});
    } else if (std::ranges::find(kMessageHeaders, to_lower(name)) != kMessageHeaders.end()) {
      found.push_back({.field = field, .message = "is set by the hub for every message", .code = "reserved_header"});
    }
    if (!value.is_string()) continue;
    const auto& text = value.get_ref<const std::string&>();
    if (has_control(text)) {
      found.push_back(
          {.field = field, .message = "must not contain control characters or line breaks", .code = "format"});
    } else if (redact(text) != text && characters(text) <= 256) {
      found.push_back({.field = field,
                       .message = "looks like a credential; give it as the integration's credential instead",
                       .code = "credential_header"});
    }
  }
}

}  // namespace

Result<IntegrationRules> IntegrationRules::make(const ConnectorRegistry& connectors) {
  IntegrationRules rules;
  for (const auto& entry : connectors.all()) {
    auto schema = JsonSchema::compile(entry->type.config_schema);
    if (!schema) {
      return fail(Error(ErrorCode::internal, schema.error().message())
                      .with_context(fmt::format("config schema of {}", entry->type.id)));
    }
    rules.schemas_.emplace(entry->type.id, *std::move(schema));
  }
  return rules;
}

std::vector<Violation> IntegrationRules::check_name(std::string_view name) {
  const auto broken = [](std::string message, std::string code) {
    return std::vector<Violation>{{.field = "/name", .message = std::move(message), .code = std::move(code)}};
  };
  if (name.empty()) return broken("is required: what people call this integration", "required");
  if (!is_utf8(name) || has_control(name)) return broken("must be UTF-8 without control characters", "format");
  if (characters(name) > kMaxNameCharacters) {
    return broken(fmt::format("must have at most {} characters", kMaxNameCharacters), "max_length");
  }
  if (name.front() == ' ' || name.back() == ' ') return broken("must not begin or end with a blank", "format");
  if (Uuid::parse(name)) return broken("must not be a UUID: commands would take it for an id", "format");
  static constexpr std::array<std::string_view, 4> kReserved{"local", "env", "file", "none"};
  if (std::ranges::find(kReserved, name) != kReserved.end()) {
    return broken("is a word that credential refs reserve (local, env, file, none)", "reserved");
  }
  return {};
}

std::vector<Violation> IntegrationRules::check_config(const IntegrationType& type, const Json& config,
                                                      bool has_credential) const {
  if (!config.is_object()) return {{.field = "/config", .message = "must be an object", .code = "type"}};
  if (to_text(config).size() > kMaxConfigBytes) {
    return {{.field = "/config",
             .message = fmt::format("must be at most {} KiB of JSON", kMaxConfigBytes >> 10),
             .code = "max_length"}};
  }
  const auto schema = schemas_.find(type.id);
  std::vector<Violation> found;
  if (schema != schemas_.end()) found = schema->second.check(config, "/config");
  check_endpoint(config, found);
  check_custom_headers(config, found);
  // Rules across members assume that each member has the right type.
  if (found.empty() && type.check_rules) {
    for (Violation& violation : type.check_rules(config, has_credential)) {
      if (!violation.field.starts_with("/credential")) violation.field.insert(0, "/config");
      found.push_back(std::move(violation));
    }
  }
  std::ranges::sort(found, {}, [](const Violation& one) { return std::tie(one.field, one.code); });
  return found;
}

}  // namespace inthub
