#include "transport/address_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <fmt/format.h>

namespace inthub {
namespace {

namespace ip = boost::asio::ip;

constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;

/// What a range is, and so what opens it.
enum class Kind : std::uint8_t {
  never,           ///< nothing opens it
  exact,           ///< link-local and metadata: an entry that names this one address
  loopback,        ///< the word "loopback", or an entry that contains it
  privately_used,  ///< the word "private", or an entry that contains it
};

using Bytes = std::array<unsigned char, 16>;

Bytes bytes_of(const ip::address& address) {
  Bytes bytes{};
  if (address.is_v4()) {
    const auto v4 = address.to_v4().to_bytes();
    std::ranges::copy(v4, bytes.begin());
  } else {
    const auto v6 = address.to_v6().to_bytes();
    std::ranges::copy(v6, bytes.begin());
  }
  return bytes;
}

struct Range {
  ip::address base;
  unsigned prefix = 0;

  unsigned width() const { return base.is_v4() ? kV4Bits : kV6Bits; }
  bool is_single_address() const { return prefix == width(); }
  bool contains(const ip::address& address) const {
    if (address.is_v4() != base.is_v4()) return false;
    const Bytes a = bytes_of(address);
    const Bytes b = bytes_of(base);
    const unsigned whole = prefix / 8;
    if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
    const unsigned rest = prefix % 8;
    return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
  }
  std::string text() const { return fmt::format("{}/{}", base.to_string(), prefix); }
};

std::optional<Range> parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  boost::system::error_code bad;
  const ip::address base = ip::make_address(std::string(text.substr(0, slash)), bad);
  if (bad || (base.is_v6() && base.to_v6().scope_id() != 0)) return std::nullopt;
  Range range{.base = base, .prefix = base.is_v4() ? kV4Bits : kV6Bits};
  if (slash == std::string_view::npos) return range;
  const std::string_view digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc{} || end != digits.data() + digits.size() || prefix > range.width()) return std::nullopt;
  range.prefix = prefix;
  return range;
}

struct KnownRange {
  Range range;
  Kind kind;
  std::string_view what;
};

/// The first row that contains an address decides; so single addresses come before the ranges around them.
/// Sources: the IANA special-purpose address registries (RFC 6890), and the vendors' pages on metadata services.
const std::vector<KnownRange>& known_ranges() {
  static const std::vector<KnownRange> ranges = [] {
    struct Row {
      const char* range;
      Kind kind;
      std::string_view what;
    };
    constexpr Row kRows[] = {
        {"100.100.100.200/32", Kind::exact, "a cloud metadata address"},
        {"168.63.129.16/32", Kind::exact, "a cloud metadata address"},
        {"fd00:ec2::254/128", Kind::exact, "a cloud metadata address"},
        {"169.254.0.0/16", Kind::exact, "the link-local range (cloud metadata services live there)"},
        {"fe80::/10", Kind::exact, "the link-local range"},
        {"127.0.0.0/8", Kind::loopback, "the loopback range"},
        {"::1/128", Kind::loopback, "the loopback address"},
        {"10.0.0.0/8", Kind::privately_used, "the private range"},
        {"172.16.0.0/12", Kind::privately_used, "the private range"},
        {"192.168.0.0/16", Kind::privately_used, "the private range"},
        {"100.64.0.0/10", Kind::privately_used, "the shared (carrier-grade NAT) range"},
        {"fc00::/7", Kind::privately_used, "the private (unique local) range"},
        {"0.0.0.0/8", Kind::never, "the unspecified range"},
        {"192.0.0.0/24", Kind::never, "the reserved range"},
        {"192.0.2.0/24", Kind::never, "the documentation range"},
        {"192.88.99.0/24", Kind::never, "the reserved range"},
        {"198.18.0.0/15", Kind::never, "the benchmarking range"},
        {"198.51.100.0/24", Kind::never, "the documentation range"},
        {"203.0.113.0/24", Kind::never, "the documentation range"},
        {"224.0.0.0/4", Kind::never, "the multicast range"},
        {"255.255.255.255/32", Kind::never, "the broadcast address"},
        {"240.0.0.0/4", Kind::never, "the reserved range"},
        {"::/96", Kind::never, "the unspecified and IPv4-compatible range"},
        {"64:ff9b:1::/48", Kind::never, "the local NAT64 range"},
        {"100::/64", Kind::never, "the discard range"},
        {"2001::/23", Kind::never, "the reserved range"},
        {"2001:db8::/32", Kind::never, "the documentation range"},
        {"fec0::/10", Kind::never, "the reserved (site-local) range"},
        {"ff00::/8", Kind::never, "the multicast range"},
    };
    std::vector<KnownRange> made;
    for (const Row& row : kRows) made.push_back({.range = *parse_range(row.range), .kind = row.kind, .what = row.what});
    return made;
  }();
  return ranges;
}

/// The IPv4 address that an IPv6 address reaches: IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), 6to4 (RFC 3056),
/// NAT64 with the well-known prefix (RFC 6052).
std::optional<ip::address> embedded_v4(const ip::address& address) {
  if (!address.is_v6()) return std::nullopt;
  struct Form {
    const char* range;
    std::size_t offset;
  };
  static const std::vector<std::pair<Range, std::size_t>> forms = [] {
    constexpr Form kForms[] = {{"::ffff:0:0/96", 12}, {"::ffff:0:0:0/96", 12}, {"2002::/16", 2}, {"64:ff9b::/96", 12}};
    std::vector<std::pair<Range, std::size_t>> made;
    for (const Form& form : kForms) made.emplace_back(*parse_range(form.range), form.offset);
    return made;
  }();
  const Bytes bytes = bytes_of(address);
  for (const auto& [range, offset] : forms) {
    if (!range.contains(address)) continue;
    ip::address_v4::bytes_type v4;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), v4.size(), v4.begin());
    return ip::address_v4(v4);
  }
  return std::nullopt;
}

}  // namespace

struct AddressPolicy::Impl {
  std::vector<Range> allowed;
  bool loopback = false;
  bool privately_used = false;

  bool names_exactly(const ip::address& address) const {
    return std::ranges::any_of(
        allowed, [&](const Range& range) { return range.is_single_address() && range.contains(address); });
  }
  bool contains(const ip::address& address) const {
    return std::ranges::any_of(allowed, [&](const Range& range) { return range.contains(address); });
  }
  bool opens(const KnownRange& known, const ip::address& address) const {
    switch (known.kind) {
      case Kind::never:
        return false;
      case Kind::exact:
        return names_exactly(address);
      case Kind::loopback:
        return loopback || contains(address);
      case Kind::privately_used:
        return privately_used || contains(address);
    }
    return false;
  }
};

AddressPolicy::AddressPolicy() : impl_(std::make_unique<Impl>()) {}
AddressPolicy::AddressPolicy(AddressPolicy&&) noexcept = default;
AddressPolicy& AddressPolicy::operator=(AddressPolicy&&) noexcept = default;
AddressPolicy::~AddressPolicy() = default;

Result<AddressPolicy> AddressPolicy::make(const std::vector<std::string>& allowed) {
  AddressPolicy policy;
  for (const std::string& entry : allowed) {
    if (entry == "loopback") {
      policy.impl_->loopback = true;
    } else if (entry == "private") {
      policy.impl_->privately_used = true;
    } else if (const auto range = parse_range(entry)) {
      policy.impl_->allowed.push_back(*range);
    } else {
      return fail(
          Error(ErrorCode::invalid_argument, fmt::format("outbound.allow: \"{}\" is not an address range", entry))
              .with_remedy("write a CIDR (10.1.0.0/16), an address, \"loopback\" or \"private\"")
              .with_field("/outbound/allow"));
    }
  }
  return policy;
}

Result<void> AddressPolicy::check(const boost::asio::ip::address& address) const {
  ip::address reached = address;
  if (address.is_v6() && address.to_v6().scope_id() != 0) reached = ip::address_v6(address.to_v6().to_bytes());
  const ip::address written = reached;
  if (const auto v4 = embedded_v4(reached)) reached = *v4;

  const auto& ranges = known_ranges();
  const auto known = std::ranges::find_if(ranges, [&](const KnownRange& row) { return row.range.contains(reached); });
  if (known == ranges.end() || impl_->opens(*known, reached)) return {};
  if (written != reached && impl_->opens(*known, written)) return {};

  std::string remedy;
  switch (known->kind) {
    case Kind::never:
      remedy = "use an address that can be reached from here; no setting opens this range";
      break;
    case Kind::exact:
      remedy = fmt::format("if this very address is meant, the operator can name it: outbound.allow: [\"{}\"]",
                           reached.to_string());
      break;
    case Kind::loopback:
      remedy = fmt::format("if it is meant, the operator can allow it: outbound.allow: [\"loopback\"] or [\"{}\"]",
                           reached.to_string());
      break;
    case Kind::privately_used:
      remedy = fmt::format("if it is meant, the operator can allow it: outbound.allow: [\"private\"] or [\"{}\"]",
                           reached.to_string());
      break;
  }
  const std::string name = written == reached
                               ? written.to_string()
                               : fmt::format("{} (that is {})", written.to_string(), reached.to_string());
  return fail(Error(ErrorCode::unavailable, fmt::format("the hub does not connect to {}: it is in {} {}", name,
                                                        known->what, known->range.text()))
                  .with_reason("connectivity.address_denied")
                  .with_field("/endpoint")
                  .with_remedy(std::move(remedy))
                  .with_detail("address", reached.to_string())
                  .with_detail("range", known->range.text()));
}

}  // namespace inthub
