#include "foundation/http_url.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "foundation/headers.h"

// Written out rather than left to Boost.URL: version 1.81 takes "https://10.0.0.1.example/" for the address 10.0.0.1
// followed by the path ".example/", so what is checked and what is connected to would be two different hosts.

namespace inthub {
namespace {

constexpr std::size_t kMaxUrlBytes = 8192;
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 section 2.3.4, as text

std::uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

std::unexpected<Error> bad_url(std::string message) {
  return fail(Error(ErrorCode::invalid_argument, std::move(message)).with_reason("url.invalid"));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// The characters RFC 3986 knows, and every '%' begins an escape.
Result<void> check_characters(std::string_view text) {
  constexpr std::string_view kNeverAllowed = "\"<>\\^`{|}";
  if (text.size() > kMaxUrlBytes) return bad_url(fmt::format("a URL of at most {} bytes is accepted", kMaxUrlBytes));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F) {
      return bad_url("the URL holds a blank, a control character or one that is not ASCII; percent-encode it");
    }
    if (kNeverAllowed.find(c) != std::string_view::npos) {
      return bad_url("the URL holds one of \" < > \\ ^ ` { | }; percent-encode it");
    }
    if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))) {
      return bad_url("in a URL '%' must be followed by two hexadecimal digits");
    }
  }
  return {};
}

struct Host {
  std::string name;
  bool is_ip_literal = false;
};

Result<Host> parse_ipv6(std::string_view text) {
  const std::string name(text);
  in6_addr address{};
  if (::inet_pton(AF_INET6, name.c_str(), &address) != 1) return bad_url("the host in brackets is not an IPv6 address");
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  ::inet_ntop(AF_INET6, &address, canonical.data(), canonical.size());
  return Host{canonical.data(), true};
}

Result<Host> parse_name(std::string_view text) {
  if (text.empty()) return bad_url("the URL has no host");
  if (text.size() > kMaxHostBytes) return bad_url(fmt::format("the host may have at most {} bytes", kMaxHostBytes));
  if (!std::ranges::all_of(text,
                           [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_'; })) {
    return bad_url("the host must be a DNS name (punycode for other scripts) or an IP address");
  }
  Host host{to_lower(text), false};
  in_addr address{};
  host.is_ip_literal = ::inet_pton(AF_INET, host.name.c_str(), &address) == 1;
  // Resolvers read "127.1", "0x7f.1" and "2130706433" as addresses, so no check of the name would see what is meant.
  std::string_view last = host.name;
  if (last.ends_with('.')) last.remove_suffix(1);
  last = last.substr(last.rfind('.') + 1);
  const bool is_number = !last.empty() && (std::ranges::all_of(last, is_digit) ||
                                           (last.starts_with("0x") && std::ranges::all_of(last.substr(2), is_hex)));
  if (is_number && !host.is_ip_literal) return bad_url("an IPv4 address is written as four decimal numbers");
  return host;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view scheme) {
  if (text.empty()) return default_port(scheme);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return bad_url("the port must be between 1 and 65535");
  }
  return static_cast<std::uint16_t>(port);
}

struct Tail {
  std::string_view path;
  std::optional<std::string_view> query;
};

/// Path and query of what follows the authority; the fragment is dropped, for it never leaves a client.
Result<Tail> split_tail(std::string_view text) {
  const std::size_t hash = text.find('#');
  if (text.find_first_of("[]") != std::string_view::npos ||
      (hash != std::string_view::npos && text.find('#', hash + 1) != std::string_view::npos)) {
    return bad_url("behind the host, '[' and ']' and a second '#' must be percent-encoded");
  }
  text = text.substr(0, hash);
  const std::size_t question = text.find('?');
  Tail tail{text.substr(0, question), std::nullopt};
  if (question != std::string_view::npos) tail.query = text.substr(question + 1);
  return tail;
}

/// RFC 3986 section 5.2.4 for a path that begins with '/'.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t next = path.find('/', 1);
    const std::string_view segment = path.substr(0, next);  // with its leading '/'
    const bool is_last = next == std::string_view::npos;
    if (segment == "/..") {
      const std::size_t parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
    }
    if (segment != "/." && segment != "/..") {
      out += segment;
    } else if (is_last) {
      out += '/';
    }
    path = is_last ? std::string_view() : path.substr(next);
  }
  return out;
}

/// Normalising and resolving can make a URL longer; it must be accepted again all the same.
Result<HttpUrl> within_bound(HttpUrl url) {
  constexpr std::size_t kLongestOrigin = kMaxHostBytes + 16;
  const std::size_t target_bytes = url.path.size() + url.query.size() + 1;
  if (target_bytes + kLongestOrigin > kMaxUrlBytes && url.to_string().size() > kMaxUrlBytes) {
    return bad_url(fmt::format("a URL of at most {} bytes is accepted", kMaxUrlBytes));
  }
  return url;
}

bool has_scheme(std::string_view reference) {
  const std::size_t end = reference.find_first_of(":/?#");
  return end != std::string_view::npos && reference[end] == ':';
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
  if (auto checked = check_characters(text); !checked) return fail(std::move(checked).error());
  HttpUrl url;
  const std::size_t colon = text.find("://");
  if (colon != std::string_view::npos) url.scheme = to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return bad_url("the URL must begin with https:// or http://");
  text.remove_prefix(colon + 3);

  const std::size_t authority_end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, authority_end);
  if (authority.find('@') != std::string_view::npos) {
    return bad_url("the URL must not contain a user name or password; use a credential");
  }
  const bool is_bracketed = authority.starts_with('[');
  const std::size_t host_end = is_bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos) return bad_url("the host in brackets is not an IPv6 address");
  auto host = is_bracketed ? parse_ipv6(authority.substr(1, host_end - 1)) : parse_name(authority.substr(0, host_end));
  if (!host) return fail(std::move(host).error());
  url.host = std::move(host->name);
  url.is_ip_literal = host->is_ip_literal;

  std::string_view port = authority.substr(host_end + (is_bracketed ? 1 : 0));
  if (!port.empty()) {
    if (port.front() != ':') return bad_url("only a port may follow the host in brackets");
    port.remove_prefix(1);
  }
  const auto number = parse_port(port, url.scheme);
  if (!number) return fail(number.error());
  url.port = *number;

  const auto tail = split_tail(text.substr(authority_end));
  if (!tail) return fail(tail.error());
  url.path = tail->path.empty() ? "/" : std::string(tail->path);
  url.query = std::string(tail->query.value_or(""));
  return within_bound(std::move(url));
}

Result<HttpUrl> HttpUrl::resolve(std::string_view reference) const {
  if (auto checked = check_characters(reference); !checked) return fail(std::move(checked).error());
  if (has_scheme(reference) || reference.starts_with("//")) {
    auto url = has_scheme(reference) ? parse(reference) : parse(fmt::format("{}:{}", scheme, reference));
    if (url) url->path = remove_dot_segments(url->path);
    return url;
  }
  const auto tail = split_tail(reference);
  if (!tail) return fail(tail.error());
  HttpUrl url = *this;
  if (!tail->path.empty()) {
    const bool is_absolute = tail->path.front() == '/';
    const std::string merged =
        is_absolute ? std::string(tail->path) : path.substr(0, path.rfind('/') + 1) + std::string(tail->path);
    url.path = remove_dot_segments(merged);
  }
  if (!tail->path.empty() || tail->query) url.query = std::string(tail->query.value_or(""));
  return within_bound(std::move(url));
}

}  // namespace inthub
