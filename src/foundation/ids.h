#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace inthub {

class Clock;
class RandomSource;

/// 128-bit identifier, RFC 9562. A value type; text form is the lower-case 8-4-4-4-12 form.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// Version 7 (time-ordered, so that primary keys stay local on disk). Thread-safe if both sources are.
  static Uuid make(const Clock& clock, RandomSource& random);
  /// Accepts exactly the 36-character form, any letter case. nullopt otherwise.
  static std::optional<Uuid> parse(std::string_view text);
  std::string to_string() const;
  bool is_nil() const { return bytes == std::array<std::uint8_t, 16>{}; }

  auto operator<=>(const Uuid&) const = default;
};

/// An id that cannot be mistaken for an id of another kind.
template <class Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(Uuid value) : value_(value) {}
  static std::optional<StrongId> parse(std::string_view text) {
    const auto value = Uuid::parse(text);
    return value ? std::optional(StrongId(*value)) : std::nullopt;
  }
  const Uuid& uuid() const { return value_; }
  std::string to_string() const { return value_.to_string(); }
  bool is_nil() const { return value_.is_nil(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  Uuid value_;
};

using TenantId = StrongId<struct TenantIdTag>;
using UserId = StrongId<struct UserIdTag>;
using IntegrationId = StrongId<struct IntegrationIdTag>;
using CredentialId = StrongId<struct CredentialIdTag>;
using TokenId = StrongId<struct TokenIdTag>;
using EventId = StrongId<struct EventIdTag>;

}  // namespace inthub

template <>
struct std::hash<inthub::Uuid> {
  std::size_t operator()(const inthub::Uuid& id) const noexcept;
};
template <class Tag>
struct std::hash<inthub::StrongId<Tag>> {
  std::size_t operator()(const inthub::StrongId<Tag>& id) const noexcept {
    return std::hash<inthub::Uuid>{}(id.uuid());
  }
};
