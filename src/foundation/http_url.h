#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "foundation/result.h"

namespace inthub {

/// An absolute http or https URL, RFC 3986, parsed and normalised: lower-case scheme and host, default port filled in,
/// no fragment, no userinfo. A value type.
struct HttpUrl {
  std::string scheme;      ///< "http" or "https"
  std::string host;        ///< lower case; an IPv6 literal in canonical form (RFC 5952), without its brackets
  std::uint16_t port = 0;  ///< never 0 after parsing
  std::string path;        ///< percent-encoded as given, begins with "/"
  std::string query;       ///< percent-encoded as given, without "?"
  bool is_ip_literal = false;

  /// "https://host:port", the port only when it is not the scheme's default; an IPv6 host in brackets.
  std::string origin() const;
  /// Path and query, as in a request line.
  std::string target() const;
  std::string to_string() const;
  /// Same scheme, host and port (RFC 6454).
  bool same_origin(const HttpUrl& other) const;

  /// Errors: invalid_argument, with a message that says the rule; the input is not echoed because a URL can hold a
  /// password. Refuses userinfo, characters that RFC 3986 does not know, IPv4 addresses that are not four decimal
  /// numbers, and more than 8,192 bytes. Every URL accepted reads back equal from its to_string().
  static Result<HttpUrl> parse(std::string_view text);
  /// Resolves a reference (a Location, a Link, a realm) against this URL, RFC 3986 section 5. Errors: as parse().
  Result<HttpUrl> resolve(std::string_view reference) const;
};

}  // namespace inthub
