#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "foundation/clock.h"
#include "foundation/result.h"
#include "foundation/secret.h"

namespace inthub {

/// Of a token service's answer; larger ones are refused.
inline constexpr std::size_t kMaxTokenBodyBytes = std::size_t{64} << 10;
/// A token without expires_in lives this long, and none is taken to live shorter: services that say 0 mean "soon".
inline constexpr std::chrono::seconds kLeastTokenLife{60};
/// None is kept longer, whatever the service says.
inline constexpr std::chrono::seconds kMostTokenLife{std::chrono::hours{12}};
/// A token is given up this long before its end, or a tenth of its life if that is more.
inline constexpr std::chrono::seconds kExpiryMargin{10};

struct TokenGrant {
  SecretPtr token;
  std::chrono::seconds usable_for{};  ///< from the answer's arrival, margin taken off
};

/// Reads `{"token" or "access_token", "expires_in", "issued_at"}` (distribution's token specification) and wipes
/// `body`. An issued_at in the future, or longer ago than the token lives, is taken for a wrong clock and left out.
/// Pure. Errors: vendor_failure, reason "authentication.malformed_token"; the body is not echoed.
Result<TokenGrant> read_token_grant(std::string& body, Timestamp now);

}  // namespace inthub
