#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "foundation/result.h"

namespace inthub {

/// Which addresses the hub may connect to (guards against server-side request forgery). Checked on the address actually
/// connected to, after DNS, for every connection. Immutable, thread-safe.
///
/// Always refused: unspecified, multicast, broadcast, reserved ranges, link-local (169.254.0.0/16 and fe80::/10, where
/// cloud metadata services live) and the other known metadata addresses (fd00:ec2::254, 100.100.100.200,
/// 168.63.129.16), and IPv4 addresses of those kinds written as IPv4-mapped, 6to4 or NAT64 IPv6. A link-local or
/// metadata address is only reachable when the operator names it exactly (a /32 or /128). Refused unless allowed:
/// loopback and private ranges (RFC 1918, RFC 4193, RFC 6598). Everything else is allowed.
class AddressPolicy {
 public:
  /// `allowed`: CIDRs, addresses, or the words "loopback" and "private". Errors: invalid_argument naming the entry.
  static Result<AddressPolicy> make(const std::vector<std::string>& allowed);
  AddressPolicy(AddressPolicy&&) noexcept;
  AddressPolicy& operator=(AddressPolicy&&) noexcept;
  ~AddressPolicy();

  /// Errors: unavailable, reason "connectivity.address_denied", with the range and the setting that would allow it.
  Result<void> check(const boost::asio::ip::address& address) const;

 private:
  AddressPolicy();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
