#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "authenticators/scope_set.h"
#include "foundation/clock.h"
#include "foundation/ids.h"
#include "foundation/secret.h"

namespace inthub {

/// Tokens held by all integrations together; above it the one unused for longest goes.
inline constexpr std::size_t kMaxTokens = 4'096;

/// Whose token, and of which token service. A token is never given to another owner.
struct TokenOwner {
  TenantId tenant;
  IntegrationId integration;
  std::string realm;
  std::string service;
  std::string credential;  ///< identifies the credential; empty for anonymous

  bool operator==(const TokenOwner&) const = default;
};

/// Short-lived registry tokens by owner and scopes. Bounded (kMaxTokens), least recently used first out. Thread-safe.
class TokenCache {
 public:
  explicit TokenCache(const Clock& clock) : clock_(clock) {}

  /// A live token of this owner whose scopes cover `wanted`; null when there is none. Marks it as reused.
  SecretPtr find(const TokenOwner& owner, const ScopeSet& wanted);
  /// Replaces the token of the same owner and scopes.
  void put(const TokenOwner& owner, const ScopeSet& scopes, SecretPtr token,
           std::chrono::steady_clock::time_point expires);

  struct Issued {
    ScopeSet scopes;
    bool reused = false;  ///< find() has given it out: it may have gone stale since it was issued
  };
  /// What is known of a token by its bytes; nothing when it is not this owner's or was dropped.
  std::optional<Issued> identify(const TokenOwner& owner, std::string_view token) const;
  /// Drops every token of this owner.
  void drop(const TokenOwner& owner);
  void forget(IntegrationId integration);
  std::size_t size() const;

 private:
  struct Entry {
    TokenOwner owner;
    ScopeSet scopes;
    std::string key;
    SecretPtr token;
    std::chrono::steady_clock::time_point expires;
    bool reused = false;
  };
  using Entries = std::list<Entry>;

  SecretPtr use(Entries::iterator entry);
  void erase(Entries::iterator entry);

  const Clock& clock_;
  mutable std::mutex mutex_;
  Entries entries_;  ///< most recently used first
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace inthub
