#include "foundation/http_url.h"

#include <algorithm>
#include <cctype>

#include <boost/url.hpp>
#include <fmt/format.h>

namespace inthub {
namespace {

constexpr std::size_t kMaxUrlBytes = 8192;

std::uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

std::unexpected<Error> bad_url(std::string message) {
  return fail(Error(ErrorCode::invalid_argument, std::move(message)).with_reason("url.invalid"));
}

Result<HttpUrl> from_view(const boost::urls::url_view_base& view) {
  HttpUrl url;
  url.scheme = std::string(view.scheme());
  std::ranges::transform(url.scheme, url.scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  if (url.scheme != "http" && url.scheme != "https") return bad_url("the URL must begin with https:// or http://");
  if (view.has_userinfo()) return bad_url("the URL must not contain a user name or password; use a credential");
  if (!view.has_authority() || view.encoded_host().empty()) return bad_url("the URL has no host");
  url.host = view.host_address();
  std::ranges::transform(url.host, url.host.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool plain = std::ranges::all_of(
      url.host, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':'; });
  if (!plain) return bad_url("the host must be a DNS name (punycode for other scripts) or an IP address");
  url.is_ip_literal =
      view.host_type() == boost::urls::host_type::ipv4 || view.host_type() == boost::urls::host_type::ipv6;
  if (view.host_type() == boost::urls::host_type::ipvfuture) return bad_url("the host is not a known kind of address");
  url.port = default_port(url.scheme);
  if (view.has_port()) {
    url.port = view.port_number();
    if (url.port == 0) return bad_url("the port must be between 1 and 65535");
  }
  url.path = std::string(view.encoded_path());
  if (url.path.empty()) url.path = "/";
  url.query = std::string(view.encoded_query());
  return url;
}

}  // namespace

std::string HttpUrl::origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string text = fmt::format("{}://{}{}{}", scheme, v6 ? "[" : "", host, v6 ? "]" : "");
  if (port != default_port(scheme)) text += fmt::format(":{}", port);
  return text;
}

std::string HttpUrl::target() const {
  return query.empty() ? path : path + "?" + query;
}
std::string HttpUrl::to_string() const {
  return origin() + target();
}
bool HttpUrl::same_origin(const HttpUrl& other) const {
  return scheme == other.scheme && host == other.host && port == other.port;
}

Result<HttpUrl> HttpUrl::parse(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return bad_url(fmt::format("a URL of at most {} bytes is accepted", kMaxUrlBytes));
  const auto view = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
  if (!view) return bad_url("not an absolute URL (RFC 3986)");
  return from_view(*view);
}

Result<HttpUrl> HttpUrl::resolve(std::string_view reference) const {
  if (reference.size() > kMaxUrlBytes) return bad_url("the URL reference is too long");
  const auto view = boost::urls::parse_uri_reference(boost::urls::string_view(reference.data(), reference.size()));
  if (!view) return bad_url("not a URL reference (RFC 3986)");
  const std::string base_text = to_string();
  const auto base = boost::urls::parse_uri(base_text);
  if (!base) return bad_url("not an absolute URL (RFC 3986)");
  boost::urls::url out;
  if (!boost::urls::resolve(*base, *view, out)) return bad_url("the URL reference cannot be resolved");
  return from_view(out);
}

}  // namespace inthub
