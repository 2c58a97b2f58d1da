#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/http_url.h"
#include "foundation/result.h"

namespace inthub::transport {

enum class ProxyKind : std::uint8_t { http, https, socks5h };

struct Proxy {
  ProxyKind kind = ProxyKind::http;
  std::string host;  ///< lower case; an IPv6 literal without its brackets
  std::uint16_t port = 0;

  std::string to_string() const;  ///< "http://proxy.example:3128"
};

/// "http://host:port", "https://host:port" or "socks5h://host:port" (1080 when no port is given), without userinfo.
/// Errors: unavailable, reason "connectivity.proxy_refused". Pure.
Result<Proxy> parse_proxy(std::string_view url);

/// Whether a list in the NO_PROXY convention exempts this destination: "*", "host", "host:port", a domain with or
/// without a leading dot (it and everything below it), an IP address, or a CIDR; addresses are compared with IP
/// literals only, because names are not resolved for this. Pure.
bool goes_direct(const std::vector<std::string>& no_proxy, const HttpUrl& url);

}  // namespace inthub::transport
