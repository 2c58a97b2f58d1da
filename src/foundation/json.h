#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "foundation/result.h"

namespace inthub {

/// Keys are kept sorted, so dumping the same value gives the same bytes.
using Json = nlohmann::json;
/// Immutable and shared; never null where a field of a domain type has it.
using JsonPtr = std::shared_ptr<const Json>;

struct JsonLimits {
  std::size_t max_bytes = std::size_t{1} << 20;
  std::size_t max_depth = 64;
};

/// RFC 8259 text to value. Refuses invalid UTF-8, duplicate keys, trailing bytes, and whatever exceeds `limits`.
/// Errors: invalid_argument (reason "json.malformed", "json.too_deep", "json.duplicate_key"), payload_too_large.
/// Messages name line, column and rule and never echo the text, which may hold a secret.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

/// Compact text. Bytes that are not UTF-8 become U+FFFD, so dumping never throws.
std::string to_text(const Json& value);
/// Two-space indented text for people.
std::string to_pretty_text(const Json& value);

JsonPtr share(Json value);

/// Escapes one reference token for an RFC 6901 pointer: "a/b~c" becomes "a~1b~0c".
std::string pointer_token(std::string_view key);
/// `text` as a JSON string with its quotes, appended to `out`; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Whether the bytes are well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

}  // namespace inthub
