#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace inthub {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
/// A point in time by which an operation must have ended. Handed down unchanged, never restarted at a lower layer.
using Deadline = std::chrono::steady_clock::time_point;

/// Where time comes from. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual std::chrono::steady_clock::time_point steady_now() const = 0;
};
/// The machine's clocks.
const Clock& system_clock();

/// Where randomness comes from. Implementations are thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  /// Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound);
};
/// The kernel's generator through libsodium.
RandomSource& system_random();

/// RFC 3339 in UTC with milliseconds: "2026-01-13T18:53:39.000Z".
std::string to_rfc3339(Timestamp time);
/// Accepts RFC 3339 with "Z" or a numeric offset, fractional seconds optional. nullopt otherwise.
std::optional<Timestamp> parse_rfc3339(std::string_view text);
/// IMF-fixdate of RFC 9110 section 5.6.7. nullopt otherwise.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace inthub
