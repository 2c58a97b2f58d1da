// Whatever a server puts into WWW-Authenticate: no crash, and the stated bounds hold.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "authenticators/challenge.h"
#include "authenticators/scope_set.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace inthub;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto challenges = parse_challenges(text);
  if (!challenges) return 0;
  fuzzing::require(challenges->size() <= kMaxChallenges, "the number of challenges is bounded");
  for (const Challenge& challenge : *challenges) {
    fuzzing::require(!challenge.scheme.empty(), "every challenge has a scheme");
    fuzzing::require(challenge.parameters.size() <= kMaxChallengeParameters, "the number of parameters is bounded");
    const ScopeSet scopes = ScopeSet::from_challenge(challenge.find("scope").value_or(""));
    fuzzing::require(scopes.texts().size() <= kMaxScopes, "the number of scopes is bounded");
    fuzzing::require(scopes.covers(scopes), "a set of scopes covers itself");
  }
  return 0;
}
