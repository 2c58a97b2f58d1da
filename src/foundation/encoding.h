#pragma once

#include <string>
#include <string_view>

#include "foundation/result.h"

namespace inthub {

/// RFC 4648 section 4, padded.
std::string base64_encode(std::string_view bytes);
/// RFC 4648 section 5 without padding: safe in URLs, headers and file names.
std::string base64url_encode(std::string_view bytes);
/// Accepts padded standard base64 only. Errors: invalid_argument.
Result<std::string> base64_decode(std::string_view text);
/// Lower-case hexadecimal.
std::string hex_encode(std::string_view bytes);
/// RFC 3986 percent-encoding of everything but unreserved characters.
std::string percent_encode(std::string_view text);
/// Errors: invalid_argument on a bad escape.
Result<std::string> percent_decode(std::string_view text);

/// Raw digest bytes (32, 48 and 64 of them).
std::string sha256(std::string_view bytes);
std::string sha384(std::string_view bytes);
std::string sha512(std::string_view bytes);

/// Whether two byte strings are equal, in time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace inthub
