#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "authenticators/authenticator.h"
#include "foundation/clock.h"

namespace inthub {

/// Origins whose way of authentication is remembered, and for how long.
inline constexpr std::size_t kMaxKnownChallenges = 4'096;
inline constexpr std::chrono::hours kChallengeLife{1};
/// A caller waits this long for another one's request of the same token, then makes its own.
inline constexpr std::chrono::seconds kMaxSharedWait{30};

/// How container registries authenticate: HTTP Basic, or a bearer token from the token service that the registry's
/// challenge names (distribution's token specification). "registry" in ConnectorFactory::authenticator.
///
///   authMode token  the credential is a password or token, config.username goes with it; none: anonymous tokens
///   authMode oauth  the credential is an OAuth 2 refresh token, exchanged by POST at the challenge's realm. Where the
///   service does
///                   not take POST (404, 405, 501): GET with Basic if there is a config.username, else the credential
///                   itself is the bearer token, as where the challenge has no realm
///   authMode mtls   the certificate authenticates; tokens are asked for anonymously
///
/// The first request to an origin goes without a credential; what its challenge said is remembered per integration and
/// origin, so later ones carry a token or a Basic header at once. Tokens are kept by integration, realm, service,
/// credential and scopes until shortly before they expire; concurrent requests for one token share one exchange. A
/// draft (nil integration id) leaves nothing behind that a later call would use.
///
/// A refused token is fetched again once if it was a kept one, or with wider scopes where the challenge asks for more;
/// a fresh token that is refused for scopes it has, and Basic after Bearer, are final.
///
/// Errors, beside those of check_realm() and parse_challenges(): vendor_failure with reason "authentication.rejected",
/// ".forbidden", ".token_refused", ".redirected", ".server_error", ".malformed_token"; unavailable with
/// ".rate_limited". What the service said is quoted, redacted.
///
/// `clock` must outlive the answer.
std::shared_ptr<Authenticator> make_registry_authenticator(const Clock& clock);

}  // namespace inthub
