#include "authenticators/token_cache.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "foundation/encoding.h"

namespace inthub {
namespace {

std::string key_of(const TokenOwner& owner, const ScopeSet& scopes) {
  // The lengths keep two different owners from writing the same key.
  return fmt::format("{} {} {}:{} {}:{} {}:{} {}", owner.tenant.to_string(), owner.integration.to_string(),
                     owner.realm.size(), owner.realm, owner.service.size(), owner.service, owner.credential.size(),
                     owner.credential, scopes.to_string());
}

}  // namespace

SecretPtr TokenCache::use(Entries::iterator entry) {
  entries_.splice(entries_.begin(), entries_, entry);
  entry->reused = true;
  return entry->token;
}

void TokenCache::erase(Entries::iterator entry) {
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

SecretPtr TokenCache::find(const TokenOwner& owner, const ScopeSet& wanted) {
  const std::string key = key_of(owner, wanted);
  const auto now = clock_.steady_now();
  const std::scoped_lock lock(mutex_);
  if (const auto exact = by_key_.find(key); exact != by_key_.end()) {
    if (exact->second->expires > now) return use(exact->second);
    erase(exact->second);
  }
  // A token for more serves as well. Met only where the exact one is missing, before a request to the token service.
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->owner == owner && entry->expires > now && entry->scopes.covers(wanted)) return use(entry);
  }
  return nullptr;
}

void TokenCache::put(const TokenOwner& owner, const ScopeSet& scopes, SecretPtr token,
                     std::chrono::steady_clock::time_point expires) {
  std::string key = key_of(owner, scopes);
  const std::scoped_lock lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) erase(known->second);
  if (entries_.size() == kMaxTokens) erase(std::prev(entries_.end()));
  entries_.push_front(
      {.owner = owner, .scopes = scopes, .key = key, .token = std::move(token), .expires = expires, .reused = false});
  by_key_.emplace(std::move(key), entries_.begin());
}

std::optional<TokenCache::Issued> TokenCache::identify(const TokenOwner& owner, std::string_view token) const {
  const std::scoped_lock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.owner == owner && equal_in_constant_time(entry.token->reveal(), token)) {
      return Issued{.scopes = entry.scopes, .reused = entry.reused};
    }
  }
  return std::nullopt;
}

void TokenCache::drop(const TokenOwner& owner) {
  const std::scoped_lock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    if (current->owner == owner) erase(current);
  }
}

void TokenCache::forget(IntegrationId integration) {
  const std::scoped_lock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    if (current->owner.integration == integration) erase(current);
  }
}

std::size_t TokenCache::size() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace inthub
