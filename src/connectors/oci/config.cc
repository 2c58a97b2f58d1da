#include "connectors/oci/config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "connectors/oci/image_reference.h"
#include "connectors/oci/manifest.h"
#include "foundation/headers.h"
#include "foundation/redact.h"

namespace inthub::oci {
namespace {

constexpr std::string_view kDefaultPlatform = "linux/amd64";
constexpr std::string_view kDefaultAuthMode = "token";
constexpr std::int64_t kDefaultInitialDelay = 1'000;
constexpr std::int64_t kDefaultLongestDelay = 60'000;
/// Set by the hub itself for each request; a fixed value would break the exchange or change what digests mean.
constexpr std::array<std::string_view, 12> kOwnHeaders{
    "host", "accept",  "accept-encoding", "connection", "content-length", "content-type", "transfer-encoding",
    "te",   "upgrade", "range",           "expect",     "keep-alive"};

std::string text_member(const Json& config, const char* name, std::string_view otherwise = {}) {
  const auto found = config.find(name);
  return found != config.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}
bool flag_member(const Json& config, const char* name) {
  const auto found = config.find(name);
  return found != config.end() && found->is_boolean() && found->get<bool>();
}

/// What a host is called when it is this machine (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3, RFC 4291).
bool is_loopback(const HttpUrl& url) {
  return url.host == "localhost" || url.host.ends_with(".localhost") || url.host == "::1" ||
         (url.is_ip_literal && url.host.starts_with("127."));
}

class Rules {
 public:
  Rules(const Json& config, bool has_credential)
      : config_(config),
        has_credential_(has_credential),
        auth_mode_(text_member(config, "authMode", kDefaultAuthMode)) {}

  std::vector<Violation> check() {
    check_endpoint();
    check_authentication();
    check_headers();
    check_retries();
    check_pem();
    check_names();
    return std::move(violations_);
  }

 private:
  void add(std::string field, std::string_view code, std::string message) {
    violations_.push_back({.field = std::move(field), .message = std::move(message), .code = std::string(code)});
  }

  void check_endpoint() {
    const auto endpoint = HttpUrl::parse(text_member(config_, "endpoint"));
    if (!endpoint) {
      add("/endpoint", "format", endpoint.error().message());
      return;
    }
    if (!endpoint->query.empty()) add("/endpoint", "format", "the endpoint has no query: give the registry's base URL");
    const std::string_view path = endpoint->path;
    if (path == "/v2" || path.ends_with("/v2") || path.ends_with("/v2/")) {
      add("/endpoint", "format", "leave /v2/ out of the endpoint: it is added to the base URL");
    }
    if (endpoint->scheme == "https") return;
    if (!flag_member(config_, "insecure")) {
      add("/endpoint", "insecure_endpoint", "an http endpoint needs \"insecure\": true; better, use https");
    }
    if (auth_mode_ == "mtls") add("/authMode", "insecure_endpoint", "authMode mtls needs an https endpoint");
    if (has_credential_ && !is_loopback(*endpoint) && !flag_member(config_, "allowPlaintextCredentials")) {
      add("/endpoint", "plaintext_credential",
          "a credential is not sent over plain http; use https, or set \"allowPlaintextCredentials\": true if the "
          "network "
          "between the hub and the registry is trusted");
    }
  }

  void check_authentication() {
    if (auth_mode_ == "mtls") {
      if (!config_.contains("clientCertificate")) {
        add("/clientCertificate", "required", "authMode mtls needs clientCertificate, the certificate chain in PEM");
      }
      if (!has_credential_)
        add("/credentialRef", "required", "authMode mtls needs the certificate's private key as credential");
    }
    if (auth_mode_ == "oauth" && !has_credential_) {
      add("/credentialRef", "required", "authMode oauth needs a refresh token or bearer token as credential");
    }
    if (auth_mode_ == "token" && has_credential_ && !config_.contains("username")) {
      add("/username", "required",
          "authMode token with a credential needs username; token services often take any name");
    }
  }

  void check_headers() {
    const auto headers = config_.find("customHeaders");
    if (headers == config_.end() || !headers->is_object()) return;
    for (const auto& [name, value] : headers->items()) {
      const std::string field = "/customHeaders/" + pointer_token(name);
      const std::string lower = to_lower(name);
      if (is_credential_header(name)) {
        add(field, "credential_header", "this header carries a credential: store it as the integration's credential");
      } else if (std::ranges::find(kOwnHeaders, std::string_view(lower)) != kOwnHeaders.end()) {
        add(field, "reserved_header", "this header is set for each request by the hub itself");
      }
    }
  }

  void check_retries() {
    const auto policy = config_.find("retryPolicy");
    if (policy == config_.end() || !policy->is_object()) return;
    const auto initial = policy->value("initialDelayMs", kDefaultInitialDelay);
    const auto longest = policy->value("maxDelayMs", kDefaultLongestDelay);
    if (initial > longest) {
      add("/retryPolicy/maxDelayMs", "minimum",
          fmt::format("maxDelayMs is not below initialDelayMs, which is {}", initial));
    }
  }

  void check_pem() {
    for (const char* name : {"caBundle", "clientCertificate"}) {
      if (text_member(config_, name).find("PRIVATE KEY-----") != std::string::npos) {
        add(fmt::format("/{}", name), "secret_in_config",
            "a private key does not belong into the config: store it as the integration's credential, and replace it "
            "if this "
            "config was sent anywhere");
      }
    }
  }

  void check_names() {
    const std::string_view rule = "a repository is written in lower case without host, tag and digest: team/app";
    if (const auto list = config_.find("repositories"); list != config_.end() && list->is_array()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        const Json& name = list->at(i);
        if (name.is_string() && !is_repository_name(name.get_ref<const std::string&>())) {
          add(fmt::format("/repositories/{}", i), "format", std::string(rule));
        }
      }
    }
    if (config_.contains("testRepository") && !is_repository_name(text_member(config_, "testRepository"))) {
      add("/testRepository", "format", std::string(rule));
    }
    if (config_.contains("platform")) {
      if (const auto platform = parse_platform(text_member(config_, "platform")); !platform) {
        add("/platform", "format", fmt::format("{}; {}", platform.error().message(), platform.error().remedy()));
      }
    }
  }

  const Json& config_;
  bool has_credential_;
  std::string auth_mode_;
  std::vector<Violation> violations_;
};

}  // namespace

Result<OciConfig> read_config(const Json& config) {
  auto endpoint = HttpUrl::parse(text_member(config, "endpoint"));
  if (!endpoint) {
    return fail(Error(ErrorCode::validation_failed, "the integration's endpoint: " + endpoint.error().message())
                    .with_reason("config.invalid")
                    .with_field("/endpoint")
                    .with_remedy("set endpoint to the registry's base URL"));
  }
  OciConfig out{.endpoint = *std::move(endpoint),
                .auth_mode = text_member(config, "authMode", kDefaultAuthMode),
                .repositories = {},
                .test_repository = text_member(config, "testRepository"),
                .platform = text_member(config, "platform", kDefaultPlatform)};
  if (const auto list = config.find("repositories"); list != config.end() && list->is_array()) {
    for (const Json& name : *list) {
      if (name.is_string()) out.repositories.push_back(name.get<std::string>());
    }
  }
  return out;
}

std::vector<Violation> check_rules(const Json& config, bool has_credential) {
  return Rules(config, has_credential).check();
}

}  // namespace inthub::oci
