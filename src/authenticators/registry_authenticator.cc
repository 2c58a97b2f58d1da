#include "authenticators/registry_authenticator.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "authenticators/challenge.h"
#include "authenticators/realm_policy.h"
#include "authenticators/scope_set.h"
#include "authenticators/token_cache.h"
#include "authenticators/token_response.h"
#include "foundation/bounded_cache.h"
#include "foundation/encoding.h"
#include "foundation/redact.h"

namespace inthub {
namespace {

constexpr std::string_view kClientId = "inthub";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::size_t kMaxQuotedBytes = 512;

enum class AuthMode : std::uint8_t { token, oauth, mtls };

/// What the config says about authentication.
struct Settings {
  AuthMode mode = AuthMode::token;
  std::string username;
  std::vector<std::string> realm_allow;
  bool plaintext_allowed = false;
};

Settings read_settings(const Json& config) {
  Settings settings;
  const auto text = [&config](const char* name) {
    const auto found = config.find(name);
    return found != config.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string mode = text("authMode");
  if (mode == "oauth") settings.mode = AuthMode::oauth;
  if (mode == "mtls") settings.mode = AuthMode::mtls;
  settings.username = text("username");
  if (const auto list = config.find("tokenRealmAllow"); list != config.end() && list->is_array()) {
    for (const Json& host : *list) {
      if (host.is_string()) settings.realm_allow.push_back(host.get<std::string>());
    }
  }
  const auto plaintext = config.find("allowPlaintextCredentials");
  settings.plaintext_allowed = plaintext != config.end() && plaintext->is_boolean() && plaintext->get<bool>();
  return settings;
}

/// How one origin authenticates.
struct Way {
  enum class Kind : std::uint8_t { basic, token_service, static_bearer };
  Kind kind = Kind::basic;
  HttpUrl realm;  ///< of the token service
  std::string service;

  bool operator==(const Way& other) const {
    return kind == other.kind && realm.to_string() == other.realm.to_string() && service == other.service;
  }
};

/// Sets "<scheme> <value>" without leaving a copy of the value behind.
void set_authorization(HttpRequest& request, std::string_view scheme, std::string_view value) {
  std::string header;
  header.reserve(scheme.size() + value.size());
  header.append(scheme).append(value);
  request.headers.set("Authorization", std::move(header));
}

void set_basic(HttpRequest& request, std::string_view username, const Secret& secret) {
  std::string pair;
  pair.reserve(username.size() + 1 + secret.reveal().size());
  pair.append(username).append(":").append(secret.reveal());
  std::string encoded = base64_encode(pair);
  set_authorization(request, "Basic ", encoded);
  wipe(pair);
  wipe(encoded);
}

void append_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  std::string encoded = percent_encode(value);
  query.append(name).append("=").append(encoded);
  wipe(encoded);
}

std::optional<std::chrono::seconds> retry_seconds(const Headers& headers) {
  const auto field = headers.find("Retry-After");
  if (!field) return std::nullopt;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), seconds);
  if (error != std::errc{} || end != field->data() + field->size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

/// The refusal of a token service, with its own words.
Error token_error(const HttpResponse& response, const HttpUrl& realm, const SecretPtr& secret) {
  std::string message = fmt::format("the token service {} answered {}", realm.origin(), response.status);
  const std::array secrets{secret};
  const auto known = secret ? std::span<const SecretPtr>(secrets) : std::span<const SecretPtr>{};
  if (const std::string words = redact(response.body, known, kMaxQuotedBytes); !words.empty()) {
    message += fmt::format(": \"{}\"", words);
  }
  const int status = response.status;
  const auto error = [&](std::string_view reason) {
    return Error(ErrorCode::vendor_failure, message)
        .with_reason(fmt::format("authentication.{}", reason))
        .with_detail("httpStatus", std::to_string(status));
  };
  if (status == 401) {
    return error("rejected")
        .with_field("/credentialRef")
        .with_remedy(secret ? "store a user name and credential that work and test the connection again"
                            : "give the integration a credential: the token service refuses anonymous access");
  }
  if (status == 403) {
    return error("forbidden")
        .with_field("/credentialRef")
        .with_remedy("give the credential the missing permission, and check that the repository exists");
  }
  if (status == 429) {
    Error busy = Error(ErrorCode::unavailable, message)
                     .with_reason("authentication.rate_limited")
                     .with_remedy("wait: the token service limits how often it is asked");
    if (const auto wait = retry_seconds(response.headers)) busy = std::move(busy).with_retry_after(*wait);
    return busy;
  }
  if (status >= 500) return error("server_error").with_remedy("look at the token service's own log and try again");
  if (status >= 300 && status < 400) {
    return error("redirected")
        .with_field("/endpoint")
        .with_remedy(
            "a credential is not carried along a redirect: correct the "
            "realm in the registry's configuration");
  }
  return error("token_refused")
      .with_field("/credentialRef")
      .with_remedy("check authMode, the user name and the credential against what the token service wants");
}

bool refuses_post(int status) {
  return status == 404 || status == 405 || status == 501;
}

/// A token, or (null) that the credential itself is the bearer token.
struct Exchanged {
  SecretPtr token;
  std::chrono::seconds usable_for{};
};

std::string realm_query(const Way& way, std::string_view username, const std::vector<std::string>& scopes) {
  std::string query = way.realm.query;
  if (!way.service.empty()) append_parameter(query, "service", way.service);
  for (const std::string& scope : scopes) append_parameter(query, "scope", scope);
  if (!username.empty()) append_parameter(query, "account", username);
  return query;
}

class RegistryAuthenticator final : public Authenticator {
 public:
  explicit RegistryAuthenticator(const Clock& clock)
      : clock_(clock),
        ways_({.max_entries = kMaxKnownChallenges, .ttl = kChallengeLife, .expiry = CacheExpiry::absolute}, clock),
        tokens_(clock) {}

  Task<Result<void>> authorize(AuthenticationContext& context, HttpRequest& request,
                               const std::vector<std::string>& scopes) override;
  Task<Result<bool>> answer_challenge(AuthenticationContext& context, HttpRequest& request,
                                      const std::vector<std::string>& scopes, const HttpResponse& refusal) override;
  void forget(IntegrationId integration) override;

 private:
  struct WayKey {
    TenantId tenant;
    IntegrationId integration;
    std::string origin;
    bool operator==(const WayKey&) const = default;
  };
  struct WayKeyHash {
    std::size_t operator()(const WayKey& key) const noexcept {
      return std::hash<IntegrationId>{}(key.integration) ^ (std::hash<std::string>{}(key.origin) << 1);
    }
  };
  /// One exchange under way and those who wait for its outcome; null: ask for yourself.
  struct Flight {
    std::vector<OneShot<SecretPtr>> waiters;
  };
  class FlightGuard;

  static WayKey way_key(AuthenticationContext& context, const HttpUrl& url) {
    return {.tenant = context.tenant(), .integration = context.integration(), .origin = url.origin()};
  }
  void remember(AuthenticationContext& context, const HttpUrl& url, const Way& way);
  static TokenOwner owner_of(AuthenticationContext& context, const Way& way, bool anonymous);

  static Result<std::optional<Way>> choose_way(const std::vector<Challenge>& challenges, const Settings& settings,
                                               const HttpRequest& request, bool has_secret, ScopeSet& demanded);
  Task<Result<void>> add_basic(const Settings& settings, HttpRequest& request, const SecretPtr& secret);
  Task<Result<void>> add_token(AuthenticationContext& context, const Settings& settings, const Way& way,
                               HttpRequest& request, const ScopeSet& wanted, const ScopeSet& demanded,
                               const SecretPtr& secret);
  Task<Result<SecretPtr>> token_for(AuthenticationContext& context, const Settings& settings, const Way& way,
                                    const HttpUrl& registry, const ScopeSet& wanted, const ScopeSet& demanded,
                                    const SecretPtr& secret);
  Task<Result<SecretPtr>> fetch(AuthenticationContext& context, const Settings& settings, const Way& way,
                                const HttpUrl& registry, const ScopeSet& wanted, const ScopeSet& demanded,
                                const SecretPtr& secret);
  static Task<Result<HttpResponse>> ask(AuthenticationContext& context, const Settings& settings, const Way& way,
                                        const std::vector<std::string>& scopes, const SecretPtr& secret);
  static Task<Result<HttpResponse>> ask_by_post(AuthenticationContext& context, const Way& way,
                                                const std::string& scopes, const Secret& refresh_token);

  const Clock& clock_;
  BoundedCache<WayKey, Way, WayKeyHash> ways_;
  TokenCache tokens_;
  std::mutex flights_mutex_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

/// Ends a flight however its leader leaves: with a token, an error or a cancelled coroutine.
class RegistryAuthenticator::FlightGuard {
 public:
  FlightGuard(RegistryAuthenticator& owner, std::string key) : owner_(owner), key_(std::move(key)) {}
  FlightGuard(const FlightGuard&) = delete;
  FlightGuard& operator=(const FlightGuard&) = delete;
  ~FlightGuard() {
    std::shared_ptr<Flight> flight;
    {
      const std::scoped_lock lock(owner_.flights_mutex_);
      const auto own = owner_.flights_.find(key_);
      flight = std::move(own->second);
      owner_.flights_.erase(own);
    }
    for (const auto& waiter : flight->waiters) waiter.set(token_);
  }
  void land(SecretPtr token) { token_ = std::move(token); }

 private:
  RegistryAuthenticator& owner_;
  std::string key_;
  SecretPtr token_;
};

void RegistryAuthenticator::remember(AuthenticationContext& context, const HttpUrl& url, const Way& way) {
  if (context.integration().is_nil()) return;
  ways_.put(way_key(context, url), std::make_shared<const Way>(way));
}

TokenOwner RegistryAuthenticator::owner_of(AuthenticationContext& context, const Way& way, bool anonymous) {
  return {.tenant = context.tenant(),
          .integration = context.integration(),
          .realm = way.realm.to_string(),
          .service = way.service,
          .credential = anonymous ? std::string() : context.credential_key()};
}

/// Bearer where it can be answered, else Basic where there is something to answer it with.
Result<std::optional<Way>> RegistryAuthenticator::choose_way(const std::vector<Challenge>& challenges,
                                                             const Settings& settings, const HttpRequest& request,
                                                             bool has_secret, ScopeSet& demanded) {
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme != "bearer") continue;
    const auto realm = challenge.find("realm");
    if (!realm || realm->empty()) {
      if (settings.mode != AuthMode::oauth || !has_secret) continue;
      return Way{.kind = Way::Kind::static_bearer, .realm = {}, .service = {}};
    }
    // Some servers send a path.
    auto url = request.url.resolve(*realm);
    if (!url) {
      return fail(std::move(url)
                      .error()
                      .with_context("the realm of the registry's challenge")
                      .with_reason("authentication.bad_challenge")
                      .with_field("/endpoint"));
    }
    demanded = ScopeSet::from_challenge(challenge.find("scope").value_or(""));
    return Way{.kind = Way::Kind::token_service,
               .realm = *std::move(url),
               .service = std::string(challenge.find("service").value_or(""))};
  }
  const bool asks_basic = std::ranges::any_of(challenges, [](const Challenge& one) { return one.scheme == "basic"; });
  // A 401 without any challenge comes from behind proxies that strip the header.
  if ((asks_basic || challenges.empty()) && has_secret && settings.mode == AuthMode::token &&
      !settings.username.empty()) {
    return Way{.kind = Way::Kind::basic, .realm = {}, .service = {}};
  }
  return std::optional<Way>{};
}

Task<Result<void>> RegistryAuthenticator::add_basic(const Settings& settings, HttpRequest& request,
                                                    const SecretPtr& secret) {
  if (auto allowed = check_transport(request.url, settings.plaintext_allowed); !allowed) co_return allowed;
  set_basic(request, settings.username, *secret);
  co_return Result<void>{};
}

Task<Result<void>> RegistryAuthenticator::authorize(AuthenticationContext& context, HttpRequest& request,
                                                    const std::vector<std::string>& scopes) {
  const auto known = ways_.find(way_key(context, request.url));
  if (!known) co_return Result<void>{};
  const Way way = *known.value;
  const Settings settings = read_settings(context.config());
  SecretPtr secret;
  if (settings.mode != AuthMode::mtls) {
    auto resolved = co_await context.secret();
    if (!resolved) co_return fail(std::move(resolved).error());
    secret = *std::move(resolved);
  }
  if (way.kind == Way::Kind::token_service) {
    co_return co_await add_token(context, settings, way, request, ScopeSet(scopes), {}, secret);
  }
  if (!secret) co_return Result<void>{};
  if (way.kind == Way::Kind::basic) co_return co_await add_basic(settings, request, secret);
  if (auto allowed = check_transport(request.url, settings.plaintext_allowed); !allowed) co_return allowed;
  set_authorization(request, kBearer, secret->reveal());
  co_return Result<void>{};
}

Task<Result<bool>> RegistryAuthenticator::answer_challenge(AuthenticationContext& context, HttpRequest& request,
                                                           const std::vector<std::string>& scopes,
                                                           const HttpResponse& refusal) {
  const auto challenges = parse_challenges(refusal.headers);
  if (refusal.status == 403 && (!challenges || challenges->empty())) co_return false;
  if (!challenges) co_return fail(challenges.error());
  const Settings settings = read_settings(context.config());
  SecretPtr secret;
  if (settings.mode != AuthMode::mtls) {
    auto resolved = co_await context.secret();
    if (!resolved) co_return fail(std::move(resolved).error());
    secret = *std::move(resolved);
  }
  ScopeSet demanded;
  auto choice = choose_way(*challenges, settings, request, secret != nullptr, demanded);
  if (!choice) co_return fail(std::move(choice).error());
  const std::optional<Way> chosen = *std::move(choice);
  if (!chosen) co_return false;
  const Way& way = *chosen;

  const std::string_view sent = request.headers.find("Authorization").value_or("");
  const bool sent_bearer = sent.starts_with(kBearer);
  if (way.kind != Way::Kind::token_service) {
    if (!sent.empty()) {
      // Refused as it was, or Basic after Bearer, which is how some registries deny. What was known may be out of date.
      ways_.erase(way_key(context, request.url));
      co_return false;
    }
    if (way.kind == Way::Kind::basic) {
      if (auto added = co_await add_basic(settings, request, secret); !added) co_return fail(std::move(added).error());
    } else {
      if (auto allowed = check_transport(request.url, settings.plaintext_allowed); !allowed) {
        co_return fail(std::move(allowed).error());
      }
      set_authorization(request, kBearer, secret->reveal());
    }
    if (!challenges->empty()) remember(context, request.url, way);
    co_return true;
  }

  ScopeSet wanted(scopes);
  wanted.add(demanded);
  if (sent_bearer) {
    const TokenOwner owner = owner_of(context, way, secret == nullptr);
    const std::string_view token = sent.substr(kBearer.size());
    // The credential itself was the token, and was refused.
    if (secret && equal_in_constant_time(token, secret->reveal())) co_return false;
    if (const auto issued = tokens_.identify(owner, token)) {
      const bool has_all = issued->scopes.covers(demanded);
      if (has_all && (refusal.status == 403 || !issued->reused)) co_return false;
      wanted.add(issued->scopes);
      tokens_.drop(owner);
    } else if (refusal.status == 403) {
      co_return false;
    }
  } else if (refusal.status == 403 && !sent.empty()) {
    co_return false;
  }
  remember(context, request.url, way);
  auto added = co_await add_token(context, settings, way, request, wanted, demanded, secret);
  if (!added) co_return fail(std::move(added).error());
  co_return true;
}

Task<Result<void>> RegistryAuthenticator::add_token(AuthenticationContext& context, const Settings& settings,
                                                    const Way& way, HttpRequest& request, const ScopeSet& wanted,
                                                    const ScopeSet& demanded, const SecretPtr& secret) {
  auto token = co_await token_for(context, settings, way, request.url, wanted, demanded, secret);
  if (!token) co_return fail(std::move(token).error());
  if (secret) {
    if (auto allowed = check_transport(request.url, settings.plaintext_allowed); !allowed) co_return allowed;
  }
  set_authorization(request, kBearer, (*token)->reveal());
  co_return Result<void>{};
}

Task<Result<SecretPtr>> RegistryAuthenticator::token_for(AuthenticationContext& context, const Settings& settings,
                                                         const Way& way, const HttpUrl& registry,
                                                         const ScopeSet& wanted, const ScopeSet& demanded,
                                                         const SecretPtr& secret) {
  const TokenOwner owner = owner_of(context, way, secret == nullptr);
  if (context.integration().is_nil()) {
    // Drafts of different secrets cannot be told apart, so each fetches for itself. Kept all the same: only to be
    // recognised if it is refused.
    co_return co_await fetch(context, settings, way, registry, wanted, demanded, secret);
  }
  if (SecretPtr kept = tokens_.find(owner, wanted)) co_return kept;

  const std::string key = fmt::format("{} {} {} {} {}", owner.integration.to_string(), owner.realm, owner.service,
                                      owner.credential, wanted.to_string());
  std::optional<OneShot<SecretPtr>> landing;
  {
    const std::scoped_lock lock(flights_mutex_);
    auto& flight = flights_[key];
    if (flight) {
      flight->waiters.push_back(landing.emplace());
    } else {
      flight = std::make_shared<Flight>();
    }
  }
  if (landing) {
    // Real time: this is how long a coroutine sleeps, whatever the injected clock says.
    const auto shared = co_await landing->wait(std::chrono::steady_clock::now() + kMaxSharedWait);
    if (shared && *shared) co_return *shared;
    // The leader failed or gave up, perhaps for a reason of its own (its deadline): ask without company.
    co_return co_await fetch(context, settings, way, registry, wanted, demanded, secret);
  }
  FlightGuard guard(*this, key);
  auto fetched = co_await fetch(context, settings, way, registry, wanted, demanded, secret);
  if (fetched) guard.land(*fetched);
  co_return fetched;
}

Task<Result<SecretPtr>> RegistryAuthenticator::fetch(AuthenticationContext& context, const Settings& settings,
                                                     const Way& way, const HttpUrl& registry, const ScopeSet& wanted,
                                                     const ScopeSet& demanded, const SecretPtr& secret) {
  if (auto allowed = check_realm({.registry = registry,
                                  .realm = way.realm,
                                  .allow = settings.realm_allow,
                                  .with_credential = secret != nullptr,
                                  .plaintext_allowed = settings.plaintext_allowed});
      !allowed) {
    co_return fail(std::move(allowed).error());
  }
  if (secret && settings.mode == AuthMode::token && settings.username.empty()) {
    co_return fail(
        Error(ErrorCode::validation_failed, "the credential needs a user name for the registry's token service")
            .with_reason("authentication.username_missing")
            .with_field("/username")
            .with_remedy("set username; token services that look at the token alone take any name"));
  }
  const std::vector<std::string> scopes = wanted.texts_beginning_with(demanded);
  Result<HttpResponse> response = HttpResponse{};
  if (secret && settings.mode == AuthMode::oauth) {
    std::string joined;
    for (const std::string& scope : scopes) joined += (joined.empty() ? "" : " ") + scope;
    response = co_await ask_by_post(context, way, joined, *secret);
    if (response && refuses_post(response->status)) {
      if (settings.username.empty()) {
        remember(context, registry, {.kind = Way::Kind::static_bearer, .realm = {}, .service = {}});
        co_return secret;
      }
      response = co_await ask(context, settings, way, scopes, secret);
    }
  } else {
    response = co_await ask(context, settings, way, scopes, secret);
  }
  if (!response) co_return fail(std::move(response).error().with_context("fetch a registry token"));
  if (response->status != 200) co_return fail(token_error(*response, way.realm, secret));
  auto grant = read_token_grant(response->body, clock_.now());
  if (!grant) co_return fail(std::move(grant).error());
  tokens_.put(owner_of(context, way, secret == nullptr), wanted, grant->token, clock_.steady_now() + grant->usable_for);
  co_return grant->token;
}

Task<Result<HttpResponse>> RegistryAuthenticator::ask(AuthenticationContext& context, const Settings& settings,
                                                      const Way& way, const std::vector<std::string>& scopes,
                                                      const SecretPtr& secret) {
  HttpRequest request;
  request.url = way.realm;
  request.url.query = realm_query(way, secret ? std::string_view(settings.username) : std::string_view{}, scopes);
  request.headers.add("Accept", "application/json");
  request.max_body_bytes = kMaxTokenBodyBytes;
  if (secret) set_basic(request, settings.username, *secret);
  co_return co_await context.send(std::move(request));
}

Task<Result<HttpResponse>> RegistryAuthenticator::ask_by_post(AuthenticationContext& context, const Way& way,
                                                              const std::string& scopes, const Secret& refresh_token) {
  HttpRequest request;
  request.method = "POST";
  request.url = way.realm;
  request.headers.add("Accept", "application/json");
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.max_body_bytes = kMaxTokenBodyBytes;
  // Room for everything at once, so that growing leaves no copy of the secret behind.
  constexpr std::size_t kLongestEscape = 3;
  request.body.reserve(kLongestEscape * (refresh_token.reveal().size() + scopes.size() + way.service.size()) + 128);
  append_parameter(request.body, "grant_type", "refresh_token");
  append_parameter(request.body, "service", way.service);
  append_parameter(request.body, "client_id", kClientId);
  if (!scopes.empty()) append_parameter(request.body, "scope", scopes);
  append_parameter(request.body, "refresh_token", refresh_token.reveal());
  co_return co_await context.send(std::move(request));
}

void RegistryAuthenticator::forget(IntegrationId integration) {
  ways_.erase_if([integration](const WayKey& key, const Way&) { return key.integration == integration; });
  tokens_.forget(integration);
}

}  // namespace

std::shared_ptr<Authenticator> make_registry_authenticator(const Clock& clock) {
  return std::make_shared<RegistryAuthenticator>(clock);
}

}  // namespace inthub
