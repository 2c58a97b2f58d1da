#include "connector_runtime/call_settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/redact.h"

namespace inthub {
namespace {

std::unexpected<Error> bad_member(std::string_view name, std::string_view rule) {
  return fail(Error(ErrorCode::validation_failed, fmt::format("config.{} {}", name, rule))
                  .with_reason("integration.bad_config")
                  .with_field(fmt::format("/{}", name)));
}

Result<HttpUrl> url_member(const char* name, std::string_view text) {
  Result<HttpUrl> url = HttpUrl::parse(text);
  if (!url) return bad_member(name, fmt::format("is not usable: {}", url.error().message()));
  return url;
}

Result<std::string> text_member(const Json& config, const char* name) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return std::string();
  if (!found->is_string()) return bad_member(name, "must be a string");
  return found->get<std::string>();
}

bool flag_member(const Json& config, const char* name) {
  const auto found = config.find(name);
  return found != config.end() && found->is_boolean() && found->get<bool>();
}

Result<std::vector<std::string>> list_member(const Json& config, const char* name) {
  std::vector<std::string> values;
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return values;
  if (!found->is_array()) return bad_member(name, "must be a list of strings");
  for (const Json& value : *found) {
    if (!value.is_string()) return bad_member(name, "must be a list of strings");
    values.push_back(value.get<std::string>());
  }
  return values;
}

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}
bool is_field_value(std::string_view value) {
  return std::ranges::all_of(value, [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7F); });
}
bool frames_the_message(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames{
      "Host",    "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer",
      "Upgrade", "Expect",         "Proxy-Connection"};
  return std::ranges::any_of(kNames, [name](std::string_view known) { return equals_ignore_case(known, name); });
}

Headers read_custom_headers(const Json& config) {
  Headers headers;
  const auto found = config.find("customHeaders");
  if (found == config.end() || !found->is_object()) return headers;
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string() || !is_field_name(name) || frames_the_message(name) || is_credential_header(name)) continue;
    auto text = value.get<std::string>();
    if (is_field_value(text)) headers.add(name, std::move(text));
  }
  return headers;
}

std::chrono::milliseconds read_timeout(const Json& config) {
  const auto found = config.find("timeout");
  if (found == config.end() || !found->is_number()) return kDefaultExchange;
  const double longest = static_cast<double>(kLongestExchange.count());
  const double wanted =
      std::clamp(found->get<double>() * 1000, static_cast<double>(kShortestExchange.count()), longest);
  return std::chrono::milliseconds(static_cast<std::int64_t>(wanted));
}

/// "." and "..", their dots percent-encoded or not: the endpoint's path must stay a prefix, and clients normalise such
/// segments.
bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string segment = to_lower(path.substr(0, slash));
    for (const std::string_view dots : {".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"}) {
      if (segment == dots) return true;
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

}  // namespace

bool CallSettings::owns(const HttpUrl& url) const {
  return std::ranges::any_of(own_origins, [&](const HttpUrl& origin) { return origin.same_origin(url); });
}

Result<CallSettings> read_call_settings(TenantId tenant, const Json& config) {
  if (!config.is_object()) {
    return fail(Error(ErrorCode::validation_failed, "config must be an object").with_reason("integration.bad_config"));
  }
  CallSettings settings;

  const Result<std::string> endpoint = text_member(config, "endpoint");
  if (!endpoint) return fail(endpoint.error());
  if (endpoint->empty()) return bad_member("endpoint", "is missing; give the base URL of the remote system");
  Result<HttpUrl> url = url_member("endpoint", *endpoint);
  if (!url) return fail(std::move(url).error());
  settings.endpoint = *std::move(url);
  settings.endpoint.query.clear();
  settings.own_origins.push_back(settings.endpoint);

  const Result<std::vector<std::string>> origins = list_member(config, "allowedOrigins");
  if (!origins) return fail(origins.error());
  for (const std::string& text : *origins) {
    Result<HttpUrl> origin = url_member("allowedOrigins", text);
    if (!origin) return fail(std::move(origin).error());
    settings.own_origins.push_back(*std::move(origin));
  }

  settings.custom_headers = read_custom_headers(config);
  settings.allow_plaintext_credentials = flag_member(config, "allowPlaintextCredentials");
  settings.exchange_timeout = read_timeout(config);
  settings.retry = read_retry_policy(config);

  const Result<std::string> auth_mode = text_member(config, "authMode");
  if (!auth_mode) return fail(auth_mode.error());
  settings.mutual_tls = *auth_mode == "mtls";
  Result<std::string> certificate = text_member(config, "clientCertificate");
  if (!certificate) return fail(std::move(certificate).error());
  settings.client_certificate_pem = *std::move(certificate);
  if (settings.mutual_tls && settings.client_certificate_pem.empty()) {
    return bad_member("clientCertificate",
                      "is missing; authMode \"mtls\" needs the certificate (PEM) of the credential's key");
  }

  TransportProfile profile;
  Result<std::string> ca_bundle = text_member(config, "caBundle");
  if (!ca_bundle) return fail(std::move(ca_bundle).error());
  profile.ca_bundle_pem = *std::move(ca_bundle);
  Result<std::string> proxy = text_member(config, "proxy");
  if (!proxy) return fail(std::move(proxy).error());
  profile.proxy_url = *std::move(proxy);
  Result<std::vector<std::string>> no_proxy = list_member(config, "noProxy");
  if (!no_proxy) return fail(std::move(no_proxy).error());
  profile.no_proxy = *std::move(no_proxy);
  profile.connect_timeout = std::min(kLongestConnect, settings.exchange_timeout);
  profile.partition = tenant.to_string();
  settings.profile = std::make_shared<const TransportProfile>(std::move(profile));
  return settings;
}

Result<HttpUrl> target_url(const CallSettings& settings, std::string_view target) {
  if (target.starts_with('/')) {
    const std::string_view path = target.substr(0, target.find('?'));
    if (has_dot_segment(path.substr(1))) {
      return fail(Error(ErrorCode::invalid_argument, "the path asked for contains \".\" or \"..\" as a segment")
                      .with_reason("http.target_refused")
                      .with_remedy("use the name without dot segments"));
    }
    std::string_view prefix = settings.endpoint.path;
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    Result<HttpUrl> url = HttpUrl::parse(fmt::format("{}{}{}", settings.endpoint.origin(), prefix, target));
    if (!url) return fail(Error(url.error()).with_reason("http.target_refused"));
    return url;
  }
  Result<HttpUrl> url = HttpUrl::parse(target);
  if (!url) return fail(Error(url.error()).with_reason("http.target_refused"));
  if (settings.owns(*url)) return url;
  return fail(
      Error(ErrorCode::vendor_failure, fmt::format("{} points to {}, which is not part of this integration",
                                                   settings.endpoint.origin(), url->origin()))
          .with_reason("http.target_refused")
          .with_field("/endpoint")
          .with_remedy("if the vendor serves its API from several hosts, add this one to config.allowedOrigins"));
}

bool is_loopback_host(const HttpUrl& url) {
  if (!url.is_ip_literal) return url.host == "localhost" || url.host.ends_with(".localhost");
  boost::system::error_code malformed;
  const auto address = boost::asio::ip::make_address(url.host, malformed);
  if (malformed) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

bool may_carry_credential(const CallSettings& settings, const HttpUrl& url) {
  return url.scheme == "https" || is_loopback_host(url) || settings.allow_plaintext_credentials;
}

}  // namespace inthub
