#include "transport/proxy.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <fmt/format.h>

#include "foundation/headers.h"

namespace inthub::transport {
namespace {

namespace ip = boost::asio::ip;

constexpr std::uint16_t kSocksPort = 1080;
constexpr std::string_view kSocksScheme = "socks5h://";

std::string_view scheme_of(ProxyKind kind) {
  switch (kind) {
    case ProxyKind::http:
      return "http";
    case ProxyKind::https:
      return "https";
    case ProxyKind::socks5h:
      return "socks5h";
  }
  return "http";
}

std::optional<ip::address> parse_address(std::string_view text) {
  boost::system::error_code bad;
  ip::address address = ip::make_address(std::string(text), bad);
  if (bad) return std::nullopt;
  return address;
}

bool in_network(std::string_view cidr, const ip::address& address) {
  boost::system::error_code bad;
  if (address.is_v4()) {
    const ip::network_v4 network = ip::make_network_v4(std::string(cidr), bad);
    return !bad && ip::make_network_v4(address.to_v4(), network.prefix_length()).canonical() == network.canonical();
  }
  const ip::network_v6 network = ip::make_network_v6(std::string(cidr), bad);
  return !bad && ip::make_network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Takes ":port" off the end of an entry; an unbracketed IPv6 address has none.
std::optional<std::uint16_t> take_port(std::string_view& entry) {
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const bool bracketed = entry.front() == '[';
  if (bracketed ? entry[colon - 1] != ']' : entry.find(':') != colon) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), port);
  if (error != std::errc{} || end != entry.data() + entry.size()) return std::nullopt;
  entry = entry.substr(0, colon);
  return port;
}

bool exempts(std::string_view entry, const HttpUrl& url) {
  entry = trim(entry);
  if (entry.empty()) return false;
  if (entry == "*") return true;
  if (url.is_ip_literal && entry.find('/') != std::string_view::npos) {
    const auto address = parse_address(url.host);
    return address && in_network(entry, *address);
  }
  if (const auto port = take_port(entry); port && *port != url.port) return false;
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (url.is_ip_literal) {
    const auto named = parse_address(entry);
    return named && named == parse_address(url.host);
  }
  std::string domain = to_lower(entry);
  if (domain.starts_with('.')) domain.erase(0, 1);
  std::string_view host = url.host;
  if (host.ends_with('.')) host.remove_suffix(1);
  if (domain.ends_with('.')) domain.pop_back();
  if (domain.empty()) return false;
  return host == domain || (host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.');
}

}  // namespace

std::string Proxy::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", scheme_of(kind), v6 ? "[" : "", host, v6 ? "]" : "", port);
}

Result<Proxy> parse_proxy(std::string_view url) {
  const bool socks = url.starts_with(kSocksScheme);
  const auto parsed =
      HttpUrl::parse(socks ? fmt::format("http://{}", url.substr(kSocksScheme.size())) : std::string(url));
  if (!parsed || parsed->path != "/" || !parsed->query.empty()) {
    return fail(Error(ErrorCode::unavailable, "proxy: it is not the URL of a proxy")
                    .with_reason("connectivity.proxy_refused")
                    .with_field("/proxy")
                    .with_remedy("write http://host:port, https://host:port or socks5h://host:port, without user name "
                                 "and password"));
  }
  Proxy proxy{.kind = ProxyKind::http, .host = parsed->host, .port = parsed->port};
  if (parsed->scheme == "https") proxy.kind = ProxyKind::https;
  if (socks) {
    proxy.kind = ProxyKind::socks5h;
    const bool says_80 = url.ends_with(":80") || url.ends_with(":80/");
    if (proxy.port == 80 && !says_80) proxy.port = kSocksPort;
  }
  return proxy;
}

bool goes_direct(const std::vector<std::string>& no_proxy, const HttpUrl& url) {
  return std::ranges::any_of(no_proxy, [&](const std::string& entry) { return exempts(entry, url); });
}

}  // namespace inthub::transport
