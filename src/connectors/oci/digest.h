#pragma once

#include <string>
#include <string_view>

#include "foundation/result.h"

namespace inthub::oci {

/// A content digest, "algorithm:hex", of the algorithms sha256, sha384 and sha512. A value type.
struct Digest {
  std::string algorithm;
  std::string hex;  ///< lower case, of the algorithm's length

  std::string to_string() const { return algorithm + ":" + hex; }
  bool operator==(const Digest&) const = default;
};

/// Errors: invalid_argument; reason "digest.format" (not algorithm:hex), "digest.algorithm" (not one of the three),
/// "digest.length", "digest.encoding" (not lower-case hexadecimal). Pure.
Result<Digest> parse_digest(std::string_view text);

/// The digest of `bytes`. `algorithm` is one of the three. Pure.
Digest digest_of(std::string_view algorithm, std::string_view bytes);

/// Whether `bytes` have this digest. Pure.
bool matches(const Digest& digest, std::string_view bytes);

}  // namespace inthub::oci
