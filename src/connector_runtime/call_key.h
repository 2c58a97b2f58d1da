#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string_view>

#include "foundation/ids.h"

namespace inthub {

class RandomSource;
struct DiscoverRequest;
struct ManifestRequest;
struct ResolveRequest;
struct VerifyRequest;

/// What makes two calls of one operation identical: the integration as it was at a revision, and the parameters, of
/// which only a fingerprint is kept. Fixed size and trivially copyable, so that a look-up allocates nothing.
struct CallKey {
  IntegrationId integration;
  std::int64_t revision = 0;
  std::array<std::uint64_t, 2> parameters{};

  bool operator==(const CallKey&) const = default;
};

/// Makes keys. The fingerprint is SipHash-2-4 with 128 bits under a key that is random per process: two parameter lists
/// of one integration share it with a probability of 2^-128, and nobody outside can construct such a pair. Immutable,
/// thread-safe.
class CallKeys {
 public:
  explicit CallKeys(RandomSource& random);

  static CallKey plain(IntegrationId integration, std::int64_t revision) { return {integration, revision, {}}; }
  /// A key that equals no other: the `number`-th draft of this process.
  static CallKey draft(std::uint64_t number) { return {IntegrationId(), -1, {number, 0}}; }

  CallKey of(IntegrationId integration, std::int64_t revision, const DiscoverRequest& request) const;
  CallKey of(IntegrationId integration, std::int64_t revision, const ResolveRequest& request) const;
  CallKey of(IntegrationId integration, std::int64_t revision, const ManifestRequest& request) const;
  CallKey of(IntegrationId integration, std::int64_t revision, const VerifyRequest& request) const;

 private:
  std::array<std::uint64_t, 2> fingerprint(std::initializer_list<std::string_view> parts) const;
  std::array<std::uint8_t, 16> secret_key_{};
};

}  // namespace inthub

template <>
struct std::hash<inthub::CallKey> {
  std::size_t operator()(const inthub::CallKey& key) const noexcept {
    // The fingerprint is uniform already; without parameters the id and the revision spread the keys.
    return std::hash<inthub::IntegrationId>{}(key.integration) * 31 + static_cast<std::size_t>(key.revision) * 17 +
           static_cast<std::size_t>(key.parameters[0]);
  }
};
