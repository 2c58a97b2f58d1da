#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "foundation/headers.h"
#include "foundation/result.h"

namespace inthub {

/// Bounds of what is read out of WWW-Authenticate.
inline constexpr std::size_t kMaxChallengeBytes = std::size_t{8} << 10;  ///< of one field
inline constexpr std::size_t kMaxChallenges = 16;
inline constexpr std::size_t kMaxChallengeParameters = 32;

/// One challenge of a WWW-Authenticate field, RFC 9110 section 11.6.1. A value type.
struct Challenge {
  std::string scheme;                                           ///< lower case: "bearer", "basic"
  std::vector<std::pair<std::string, std::string>> parameters;  ///< names in lower case, in order, unknown ones kept
  std::string token68;                                          ///< what some schemes have instead of parameters

  /// The first parameter of that (lower-case) name.
  std::optional<std::string_view> find(std::string_view name) const;
  bool operator==(const Challenge&) const = default;
};

/// Reads one field, which may hold several challenges. Pure. Errors: vendor_failure, reason
/// "authentication.bad_challenge": an open quote, a missing comma, or a bound that is exceeded.
Result<std::vector<Challenge>> parse_challenges(std::string_view field);

/// Reads every WWW-Authenticate field; empty when there is none. A malformed field is left out where another one can be
/// read. Pure. Errors: as above, when no field can be read.
Result<std::vector<Challenge>> parse_challenges(const Headers& headers);

}  // namespace inthub
