#include "access/authentication.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "foundation/encoding.h"
#include "foundation/headers.h"
#include "foundation/log.h"
#include "persistence/store.h"

namespace inthub {
namespace {

constexpr std::string_view kTokenPrefix = "inthub_";
constexpr std::size_t kTokenRandomBytes = 32;
constexpr std::size_t kDigestBytes = 32;

struct KnownToken {
  std::string digest;
  Principal principal;
  std::optional<Timestamp> expires_at;
};

/// By the first eight bytes of the digest: as good as random, and not to be chosen by whoever presents a token. The
/// whole digest is then compared in constant time.
using KnownTokens = std::unordered_multimap<std::uint64_t, KnownToken>;

std::uint64_t slot_of(std::string_view digest) {
  std::uint64_t slot = 0;
  std::memcpy(&slot, digest.data(), std::min(digest.size(), sizeof slot));
  return slot;
}

std::optional<Permission> highest_of(const std::vector<std::string>& names) {
  std::optional<Permission> highest;
  for (const std::string& name : names) highest = std::max(highest, permission_from_name(name));
  return highest;
}

/// The credentials of the Bearer scheme, RFC 6750 section 2.1; empty when the value is anything else.
std::string_view bearer_token(std::string_view authorization) {
  const std::size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos || !equals_ignore_case(authorization.substr(0, blank), "Bearer")) return {};
  const std::size_t first = authorization.find_first_not_of(' ', blank);
  if (first == std::string_view::npos) return {};
  const std::string_view token = authorization.substr(first);
  return token.size() <= kMaxTokenBytes ? token : std::string_view();
}

}  // namespace

IssuedToken issue_token(TenantId tenant, UserId user, std::string name, Permission permission, const Clock& clock,
                        RandomSource& random) {
  std::array<std::uint8_t, kTokenRandomBytes> bytes{};
  random.fill(bytes);
  std::string raw(bytes.begin(), bytes.end());
  std::string encoded = base64url_encode(raw);
  std::string text;
  text.reserve(kTokenPrefix.size() + encoded.size());  // no reallocation that would leave a copy behind
  text.append(kTokenPrefix).append(encoded);
  wipe(raw);
  wipe(encoded);
  bytes.fill(0);
  SecretPtr secret = make_secret(std::move(text));
  ApiToken record{.id = TokenId(Uuid::make(clock, random)),
                  .tenant = tenant,
                  .user = user,
                  .name = std::move(name),
                  .sha256 = sha256(secret->reveal()),
                  .permissions = {std::string(name_of(permission))},
                  .created_at = clock.now(),
                  .expires_at = std::nullopt};
  return {.record = std::move(record), .text = std::move(secret)};
}

struct Authentication::Impl {
  explicit Impl(const Clock& used) : clock(used) {}

  std::shared_ptr<const KnownTokens> snapshot() const {
    const std::scoped_lock lock(mutex);
    return known;
  }

  const Clock& clock;
  mutable std::mutex mutex;  // held only to copy or swap the pointer
  std::shared_ptr<const KnownTokens> known = std::make_shared<const KnownTokens>();
};

Authentication::Authentication(const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
Authentication::~Authentication() = default;

void Authentication::load(const std::vector<ApiToken>& tokens) {
  auto known = std::make_shared<KnownTokens>();
  known->reserve(tokens.size());
  for (const ApiToken& token : tokens) {
    const std::optional<Permission> permission = highest_of(token.permissions);
    if (!permission || token.sha256.size() != kDigestBytes) {
      log::warning("an API token is ignored: it has no permission that this version knows",
                   {{"token", token.id.to_string()}});
      continue;
    }
    known->emplace(
        slot_of(token.sha256),
        KnownToken{
            .digest = token.sha256,
            .principal = {.tenant = token.tenant, .user = token.user, .token = token.id, .permission = *permission},
            .expires_at = token.expires_at});
  }
  std::shared_ptr<const KnownTokens> next = std::move(known);
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->known.swap(next);
  }
  // `next` now holds the old tokens and is freed here, outside the lock.
}

Result<Principal> Authentication::check(std::string_view authorization) const {
  const std::string_view token = bearer_token(authorization);
  if (!token.empty()) {
    const std::string digest = sha256(token);
    const std::shared_ptr<const KnownTokens> known = impl_->snapshot();
    const auto [first, last] = known->equal_range(slot_of(digest));
    for (auto candidate = first; candidate != last; ++candidate) {
      const KnownToken& found = candidate->second;
      if (!equal_in_constant_time(found.digest, digest)) continue;
      if (found.expires_at && *found.expires_at <= impl_->clock.now()) break;
      return found.principal;
    }
  }
  // One answer for all: whether a token is unknown or expired is not told to whoever guesses.
  return fail(
      Error(ErrorCode::unauthenticated, "the request needs a valid API token")
          .with_remedy("send the header \"Authorization: Bearer <API token>\" with a token that has not expired"));
}

Task<Result<SecretPtr>> bootstrap_access(Store& store, const Clock& clock, RandomSource& random) {
  Result<std::vector<Tenant>> tenants = co_await store.tenants().tenants();
  if (!tenants) co_return fail(std::move(tenants).error());
  if (!tenants->empty()) co_return SecretPtr();

  const Tenant tenant{.id = TenantId(Uuid::make(clock, random)), .name = "default", .created_at = clock.now()};
  const User user{
      .id = UserId(Uuid::make(clock, random)), .tenant = tenant.id, .name = "admin", .created_at = clock.now()};
  IssuedToken token = issue_token(tenant.id, user.id, "bootstrap", Permission::admin, clock, random);
  Transaction transaction;
  transaction.add(InsertTenant{tenant}).add(InsertUser{user}).add(InsertToken{std::move(token.record)});
  Result<void> stored = co_await store.commit(std::move(transaction));
  if (!stored) co_return fail(stored.error().with_context("create the first tenant and its administrator"));
  co_return std::move(token.text);
}

}  // namespace inthub
