#include "authenticators/realm_policy.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "foundation/headers.h"
#include "transport/address_policy.h"

namespace inthub {
namespace {

constexpr std::array<std::string_view, 3> kDockerHubNames{"docker.io", "index.docker.io", "registry-1.docker.io"};
constexpr std::string_view kDockerHubRealm = "auth.docker.io";

bool is_localhost(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost");
}

/// An IP literal that nobody outside this network could mean.
bool is_internal_literal(const HttpUrl& url) {
  if (!url.is_ip_literal) return false;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(url.host, error);
  if (error) return true;
  const auto policy = AddressPolicy::make({});
  return !policy || !policy->check(address);
}

bool is_loopback(const HttpUrl& url) {
  if (is_localhost(url.host)) return true;
  if (!url.is_ip_literal) return false;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(url.host, error);
  return !error && address.is_loopback();
}

bool names(std::string_view entry, const HttpUrl& url) {
  const std::string wanted = to_lower(entry);
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const bool usual_port = url.port == (url.scheme == "https" ? 443 : 80);
  return wanted == fmt::format("{}:{}", host, url.port) || (usual_port && (wanted == host || wanted == url.host));
}

bool is_trusted(const RealmQuestion& question) {
  if (question.realm.host == question.registry.host) return true;
  const bool hub = std::ranges::find(kDockerHubNames, question.registry.host) != kDockerHubNames.end();
  if (hub && question.realm.host == kDockerHubRealm && question.realm.scheme == "https") return true;
  return std::ranges::any_of(question.allow, [&](const std::string& entry) { return names(entry, question.realm); });
}

std::unexpected<Error> refused(std::string_view reason, std::string message, std::string field, std::string remedy) {
  return fail(Error(ErrorCode::vendor_failure, std::move(message))
                  .with_reason(fmt::format("authentication.{}", reason))
                  .with_field(std::move(field))
                  .with_remedy(std::move(remedy)));
}

}  // namespace

Result<void> check_transport(const HttpUrl& url, bool plaintext_allowed) {
  if (url.scheme == "https" || plaintext_allowed || is_loopback(url)) return {};
  return refused(
      "plaintext_refused", fmt::format("the credential was not sent to {}, because it is plain http", url.origin()),
      "/allowPlaintextCredentials", "use https, or set allowPlaintextCredentials if the network between is trusted");
}

Result<void> check_realm(const RealmQuestion& question) {
  const std::string origin = question.realm.origin();
  if (question.registry.scheme == "https" && question.realm.scheme != "https") {
    return refused("realm_refused", fmt::format("the registry names a token service without TLS: {}", origin),
                   "/endpoint",
                   "correct the registry's external URL or token realm: behind https it must be https as well");
  }
  if (!is_trusted(question)) {
    if (is_localhost(question.realm.host) || is_internal_literal(question.realm)) {
      return refused(
          "realm_refused", fmt::format("the registry names a token service at an internal address: {}", origin),
          "/tokenRealmAllow",
          "correct the registry's external URL or token realm; if this is meant so, add it to tokenRealmAllow");
    }
    if (question.with_credential) {
      return refused(
          "realm_not_allowed",
          fmt::format("the registry names a token service on another host, {}, which was not given the credential",
                      origin),
          "/tokenRealmAllow",
          fmt::format("if this is the registry's own token service, add \"{}\" to tokenRealmAllow",
                      origin.substr(question.realm.scheme.size() + 3)));
    }
  }
  return question.with_credential ? check_transport(question.realm, question.plaintext_allowed) : Result<void>{};
}

}  // namespace inthub
