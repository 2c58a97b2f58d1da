#include "connectors/oci/image_reference.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "connectors/oci/digest.h"
#include "foundation/headers.h"

namespace inthub::oci {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::array<std::string_view, 3> kDockerHubNames{"docker.io", "index.docker.io", "registry-1.docker.io"};
constexpr std::string_view kOfficialImages = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kMaxDnsLabelBytes = 63;
constexpr std::uint16_t kDefaultHttpsPort = 443;

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || is_upper(c);
}
bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

std::unexpected<Error> bad_reference(std::string_view rule, std::string message, std::string remedy) {
  return fail(Error(ErrorCode::invalid_argument, "image reference: " + std::move(message))
                  .with_reason(fmt::format("image_ref.{}", rule))
                  .with_field("/imageRef")
                  .with_remedy(std::move(remedy)));
}

struct HostAndPort {
  std::string host;  ///< lower case, IPv6 in brackets
  std::optional<std::uint16_t> port;
};

/// The parts as written, before anything is defaulted.
struct Parts {
  std::string_view domain;
  HostAndPort host;  ///< the domain, taken apart
  std::string_view path;
  std::optional<std::string_view> tag;
  std::string digest;
};

bool looks_like_domain(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
         std::ranges::any_of(first, is_upper);
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return false;
    const std::string address(host.substr(1, host.size() - 2));
    // Hexadecimal and colons only: an IPv4-mapped tail or a zone would be read differently by different clients.
    if (address.find_first_not_of("0123456789abcdefABCDEF:") != std::string::npos) return false;
    in6_addr parsed{};
    return inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
  }
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    const bool valid = !label.empty() && label.size() <= kMaxDnsLabelBytes && label.front() != '-' &&
                       label.back() != '-' &&
                       std::ranges::all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
    if (!valid) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

/// Splits a domain; the host is checked by is_host(). nullopt when the port is not a number of 1 to 65535.
std::optional<HostAndPort> split_domain(std::string_view domain) {
  const std::size_t after_host = domain.starts_with('[') ? domain.find(']') : 0;
  const std::size_t colon = after_host == std::string_view::npos ? after_host : domain.find(':', after_host);
  HostAndPort out{.host = to_lower(domain.substr(0, colon)), .port = std::nullopt};
  if (colon == std::string_view::npos) return out;
  const std::string_view digits = domain.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  out.port = port;
  return out;
}

Result<HostAndPort> read_domain(std::string_view domain) {
  if (domain.size() > kMaxDomainBytes) {
    return bad_reference("too_long", fmt::format("the registry host is longer than {} bytes", kMaxDomainBytes),
                         "check the part before the first \"/\"");
  }
  auto parts = split_domain(domain);
  if (!parts) {
    return bad_reference("port", "the port of the registry host is not a number from 1 to 65535",
                         "write host:port/path, or leave the port out");
  }
  if (!is_host(parts->host)) {
    return bad_reference("domain",
                         "the part before the first \"/\" is meant as a registry host but is not a valid DNS name or "
                         "bracketed IPv6 address",
                         "use letters, digits, dashes and single dots (no underscore, no trailing dot, no zone)");
  }
  return *std::move(parts);
}

Result<void> check_path(std::string_view path) {
  if (path.size() > kMaxPathBytes) {
    return bad_reference("too_long", fmt::format("the repository path is longer than {} bytes", kMaxPathBytes),
                         "shorten the repository's name");
  }
  if (is_repository_name(path)) return {};
  if (std::ranges::any_of(path, is_upper)) {
    return bad_reference("upper_case", "a repository name has no upper-case letters",
                         "write the repository in lower case");
  }
  return bad_reference(
      "format", "the repository path is malformed",
      "components of a-z and 0-9, joined inside by one \".\", \"_\", \"__\" or dashes, separated by single "
      "\"/\"");
}

Result<Digest> read_digest(std::string_view text) {
  auto digest = parse_digest(text);
  if (digest) return digest;
  if (text.find('/') != std::string_view::npos) {
    return bad_reference("user_info", "\"@\" stands before a digest, but a \"/\" follows it",
                         "an image reference carries no user name or password: store them as a credential");
  }
  return bad_reference("digest", digest.error().message(), "write name@sha256: and 64 lower-case hexadecimal digits");
}

Result<Parts> split(std::string_view text) {
  if (text.empty()) return bad_reference("empty", "it is empty", "write repository:tag or repository@sha256:…");
  if (text.size() > kMaxReferenceBytes) {
    return bad_reference("too_long", fmt::format("it is longer than {} bytes", kMaxReferenceBytes),
                         "write one image only");
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) {
      return bad_reference("format", "it contains a blank or a control character", "remove blanks and line ends");
    }
    if (byte >= 0x80) {
      return bad_reference("format", "it contains a character outside ASCII", "write a host in punycode (xn--…)");
    }
  }
  if (text.find("://") != std::string_view::npos) {
    return bad_reference("scheme", "it begins with a URL scheme", "drop the scheme: host/repository:tag");
  }
  if (text.size() == 64 && std::ranges::all_of(text, is_lower_hex)) {
    return bad_reference("bare_hex", "64 hexadecimal digits alone are not an image name",
                         "write repository@sha256: and the digits");
  }
  if (parse_digest(text)) {
    return bad_reference("bare_digest", "a digest is not an image", "write repository@ before it");
  }

  Parts parts;
  std::string_view name = text;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    auto digest = read_digest(text.substr(at + 1));
    if (!digest) return fail(std::move(digest).error());
    parts.digest = digest->to_string();
    name = text.substr(0, at);
  }
  if (const std::size_t slash = name.find('/');
      slash != std::string_view::npos && looks_like_domain(name.substr(0, slash))) {
    parts.domain = name.substr(0, slash);
    auto host = read_domain(parts.domain);
    if (!host) return fail(std::move(host).error());
    parts.host = *std::move(host);
    name.remove_prefix(slash + 1);
  }
  const std::size_t last_component = name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/');
  const std::size_t colon = name.find(':', last_component);
  parts.path = name.substr(0, colon);
  if (auto valid = check_path(parts.path); !valid) return fail(std::move(valid).error());
  if (colon != std::string_view::npos) {
    parts.tag = name.substr(colon + 1);
    if (!is_tag(*parts.tag)) {
      return bad_reference("tag", "the tag is malformed",
                           "a tag has 1 to 128 of A-Z a-z 0-9 _ . - and begins with a letter, a digit or \"_\"");
    }
  }
  return parts;
}

Result<ImageReference> with_defaults(const Parts& parts, std::string domain, bool on_docker_hub) {
  ImageReference reference{.domain = std::move(domain),
                           .path = std::string(parts.path),
                           .tag = std::string(parts.tag.value_or(std::string_view{})),
                           .digest = parts.digest,
                           .tag_is_default = false,
                           .warnings = {}};
  if (on_docker_hub && parts.path.find('/') == std::string_view::npos) reference.path.insert(0, kOfficialImages);
  if (reference.path.size() > kMaxPathBytes) {
    return bad_reference("too_long",
                         fmt::format("the repository path, with library/, is longer than {} bytes", kMaxPathBytes),
                         "shorten the repository's name");
  }
  if (!parts.tag && reference.digest.empty()) {
    reference.tag = kDefaultTag;
    reference.tag_is_default = true;
  }
  const bool host_like = parts.path == "localhost" || parts.path.find('.') != std::string_view::npos;
  if (parts.domain.empty() && parts.path.find('/') == std::string_view::npos && host_like && parts.tag &&
      std::ranges::all_of(*parts.tag, is_digit)) {
    reference.warnings.emplace_back(
        "this looks like host:port but was read as repository:tag; a registry host is followed by \"/\"");
  }
  return reference;
}

bool is_docker_hub_name(std::string_view host) {
  return std::ranges::find(kDockerHubNames, host) != kDockerHubNames.end();
}

}  // namespace

std::string ImageReference::to_string() const {
  // MYHOST/app names a host by its upper case only: in lower case it would be a path on Docker Hub.
  const std::string lower = to_lower(domain);
  std::string text = (looks_like_domain(lower) ? lower : domain) + "/" + path;
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest;
  return text;
}

bool is_repository_name(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) return false;
  std::size_t i = 0;
  while (true) {
    const std::size_t run = i;
    while (i < path.size() && is_lower_alnum(path[i])) ++i;
    if (i == run) return false;
    if (i == path.size()) return true;
    const std::size_t separator = i;
    const char c = path[i];
    while (i < path.size() && path[i] == c) ++i;
    const std::size_t length = i - separator;
    const bool allowed = ((c == '/' || c == '.') && length == 1) || (c == '_' && length <= 2) || c == '-';
    if (!allowed) return false;
  }
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTagBytes && tag.front() != '.' && tag.front() != '-' &&
         std::ranges::all_of(tag, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_docker_hub(const HttpUrl& endpoint) {
  return endpoint.scheme == "https" && endpoint.port == kDefaultHttpsPort && is_docker_hub_name(endpoint.host);
}

std::string registry_domain(const HttpUrl& endpoint) {
  if (is_docker_hub(endpoint)) return std::string(kDockerHub);
  std::string domain = endpoint.origin().substr(endpoint.scheme.size() + 3);
  return looks_like_domain(domain) ? domain : fmt::format("{}:{}", domain, endpoint.port);
}

Result<ImageReference> parse_image_reference(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return fail(parts.error());
  std::string domain(parts->domain);
  const std::string host = to_lower(domain);
  if (domain.empty() || host == kDockerHub || host == "index.docker.io") domain = kDockerHub;
  const bool hub = domain == kDockerHub;
  return with_defaults(*parts, std::move(domain), hub);
}

Result<ImageReference> resolve_in_registry(std::string_view text, const HttpUrl& endpoint) {
  const auto parts = split(text);
  if (!parts) return fail(parts.error());
  const bool hub = is_docker_hub(endpoint);
  std::string own = registry_domain(endpoint);
  if (!parts->domain.empty()) {
    const auto& [host, port] = parts->host;
    const std::string bare_host = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
    const std::uint16_t default_port = endpoint.scheme == "https" ? kDefaultHttpsPort : std::uint16_t{80};
    const bool same_host = bare_host == endpoint.host || (hub && is_docker_hub_name(bare_host));
    if (!same_host || port.value_or(default_port) != endpoint.port) {
      return bad_reference(
          "foreign_registry",
          fmt::format("it names the registry {}, but this integration is for {}", to_lower(parts->domain), own),
          "use the integration of that registry, or leave the registry out of the reference");
    }
  }
  return with_defaults(*parts, std::move(own), hub);
}

}  // namespace inthub::oci
