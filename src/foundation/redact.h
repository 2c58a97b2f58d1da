#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "foundation/secret.h"

namespace inthub {

/// Text from outside, made fit for a log, an error or an answer: every occurrence of a given secret (plain, base64,
/// percent-encoded) and everything that looks like a credential (Authorization values, "user:password@" in URLs,
/// well-known token prefixes, PEM private keys, JWTs, values of credential-named query or JSON members) becomes "***";
/// control characters become blanks; invalid UTF-8 becomes U+FFFD; the result is cut at `max_bytes` with "…". Pure and
/// thread-safe. Secrets shorter than 4 bytes are not searched for: they would blank out ordinary words.
std::string redact(std::string_view text, std::span<const SecretPtr> secrets = {}, std::size_t max_bytes = 512);

/// Whether a header of this name carries a credential (Authorization, Cookie, PRIVATE-TOKEN, X-Api-Key, …).
bool is_credential_header(std::string_view name);

}  // namespace inthub
