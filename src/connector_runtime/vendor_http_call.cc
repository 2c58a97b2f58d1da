#include "connector_runtime/vendor_http_call.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "authenticators/authenticator.h"
#include "connector_runtime/connector_runtime.h"
#include "connector_runtime/redirect.h"
#include "connector_runtime/single_flight.h"
#include "connector_runtime/vendor_metrics.h"
#include "credentials/credential_ref.h"
#include "credentials/credential_resolver.h"
#include "foundation/encoding.h"
#include "foundation/redact.h"

namespace inthub {
namespace {

template <std::size_t N>
bool one_of(std::string_view reason, const std::array<std::string_view, N>& list) {
  return std::ranges::find(list, reason) != list.end();
}

bool is_timeout(const Error& error) {
  static constexpr std::array<std::string_view, 4> kReasons{"connectivity.dns_timeout", "connectivity.timeout",
                                                            "tls.timeout", "http.timeout"};
  return one_of(error.reason(), kReasons);
}

/// Faults of the configuration, or of what was asked for: the vendor is not to blame.
bool is_own_fault(const Error& error) {
  static constexpr std::array<std::string_view, 5> kReasons{"connectivity.address_denied", "tls.bad_ca_bundle",
                                                            "tls.bad_client_certificate", "http.body_too_large",
                                                            "http.headers_too_large"};
  return one_of(error.reason(), kReasons);
}

/// All that a host outside the integration gets to see of a connector's headers.
bool may_go_anywhere(std::string_view header) {
  static constexpr std::array<std::string_view, 2> kNames{"Accept", "Range"};
  return std::ranges::any_of(kNames, [header](std::string_view name) { return equals_ignore_case(name, header); });
}

bool is_challenge(const HttpResponse& response) {
  return response.status == 401 || (response.status == 403 && response.headers.find("WWW-Authenticate").has_value());
}

bool has_credential_header(const Headers& headers) {
  return std::ranges::any_of(headers, [](const Headers::Field& field) { return is_credential_header(field.first); });
}

/// W3C Trace Context, section 3.2: 32 lower-case hexadecimal digits, not all zero.
bool is_trace_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

std::string traceparent(std::string_view trace_id, RandomSource& random) {
  std::array<std::uint8_t, 8> span{};
  random.fill(span);
  span.back() |= 1;  // never the invalid all-zero id
  std::string bytes(span.begin(), span.end());
  return fmt::format("00-{}-{}-01", trace_id, hex_encode(bytes));
}

}  // namespace

class VendorHttpCall::Authentication final : public AuthenticationContext {
 public:
  explicit Authentication(VendorHttpCall& call) : call_(call) {}

  TenantId tenant() const override { return call_.call_.target.tenant; }
  IntegrationId integration() const override { return call_.call_.target.id; }
  const Json& config() const override { return *call_.call_.target.config; }
  const HttpUrl& endpoint() const override { return call_.call_.settings->endpoint; }
  const std::string& credential_key() const override { return call_.call_.credential_key; }

  Task<Result<SecretPtr>> secret() override {
    // With mutual TLS the credential is a private key; it goes into the handshake and nowhere else.
    if (call_.call_.settings->mutual_tls) co_return SecretPtr();
    co_return co_await call_.credential();
  }

  Task<Result<HttpResponse>> send(HttpRequest request) override {
    const bool own = call_.call_.settings->owns(request.url);
    if (carries_credential(request)) {
      if (Result<void> allowed = call_.may_send_credential(request.url); !allowed) {
        co_return fail(std::move(allowed).error());
      }
    }
    call_.secrets_.remember_headers(request.headers);
    if (own) {
      for (const auto& [name, value] : call_.call_.settings->custom_headers) {
        if (!request.headers.find(name)) request.headers.add(name, value);
      }
    }
    if (!request.headers.find("User-Agent")) request.headers.add("User-Agent", "inthub/" INTHUB_VERSION);
    request.max_body_bytes = std::min(request.max_body_bytes, kMostAuthenticationBytes);
    Result<TransportProfilePtr> profile = co_await call_.profile_for(own);
    if (!profile) co_return fail(std::move(profile).error());
    const Manner manner{.once = !is_idempotent(request.method), .observe = false, .of_authenticator = true};
    co_return co_await call_.exchange(request, *std::move(profile), manner);
  }

 private:
  /// In a header, or, as token services take it, in a form or a query.
  bool carries_credential(const HttpRequest& request) const {
    if (has_credential_header(request.headers)) return true;
    if (call_.credential_ == nullptr) return false;
    const std::string_view plain = call_.credential_->reveal();
    const Secret encoded(percent_encode(plain));
    const auto holds = [&](std::string_view text) {
      return text.find(plain) != std::string_view::npos || text.find(encoded.reveal()) != std::string_view::npos;
    };
    return !plain.empty() && (holds(request.body) || holds(request.url.query));
  }

  VendorHttpCall& call_;
};

/// One stop of a request on its way along redirects.
struct VendorHttpCall::Hop {
  HttpRequest request;
  bool own = true;
  bool authenticated = false;
};

VendorHttpCall::VendorHttpCall(const Environment& environment, Call call)
    : environment_(environment), call_(std::move(call)), authentication_(std::make_unique<Authentication>(*this)) {
  secrets_.remember(call_.target.draft_secret);
}

VendorHttpCall::~VendorHttpCall() = default;

const HttpFailure* VendorHttpCall::last_failure() const {
  return failure_ ? &*failure_ : nullptr;
}
const std::optional<HttpTimings>& VendorHttpCall::last_timings() const {
  return timings_;
}
bool VendorHttpCall::failed_in_authentication() const {
  return failed_in_authentication_;
}
bool VendorHttpCall::was_cut_short() const {
  return cut_short_;
}
CallSecrets& VendorHttpCall::secrets() {
  return secrets_;
}

Task<Result<SecretPtr>> VendorHttpCall::credential() {
  if (credential_resolved_) co_return credential_;
  if (call_.target.draft_secret) {
    credential_ = call_.target.draft_secret;
  } else {
    const Result<CredentialRef> ref = CredentialRef::parse(call_.target.credential_ref);
    if (!ref) co_return fail(secrets_.clean(ref.error()));
    if (ref->kind() != CredentialRef::Kind::none) {
      Result<SecretPtr> resolved =
          co_await environment_.credentials.resolve(call_.target.tenant, *ref, call_.progress->deadline());
      if (!resolved) co_return fail(secrets_.clean(resolved.error()));
      credential_ = *std::move(resolved);
    }
  }
  credential_resolved_ = true;
  secrets_.remember(credential_);
  co_return credential_;
}

Task<Result<TransportProfilePtr>> VendorHttpCall::profile_for(bool own) {
  const CallSettings& settings = *call_.settings;
  if (!own || !settings.mutual_tls) co_return settings.profile;
  if (mutual_tls_profile_) co_return mutual_tls_profile_;
  Result<SecretPtr> key = co_await credential();
  if (!key) co_return fail(std::move(key).error());
  if (*key == nullptr) {
    co_return fail(
        Error(ErrorCode::validation_failed,
              "authMode \"mtls\" needs a credential: the client certificate's private key")
            .with_reason("tls.bad_client_certificate")
            .with_field("/credentialRef")
            .with_remedy("give the PEM private key that belongs to config.clientCertificate as the credential"));
  }
  TransportProfile profile = *settings.profile;
  profile.client_certificate_pem = settings.client_certificate_pem;
  profile.client_key_pem = *std::move(key);
  mutual_tls_profile_ = std::make_shared<const TransportProfile>(std::move(profile));
  co_return mutual_tls_profile_;
}

Result<void> VendorHttpCall::may_send_credential(const HttpUrl& url) const {
  if (may_carry_credential(*call_.settings, url)) return {};
  return fail(
      Error(ErrorCode::validation_failed,
            fmt::format("the credential is not sent to {}, because anybody on the way could read it", url.origin()))
          .with_reason("authentication.plaintext_refused")
          .with_field("/endpoint")
          .with_remedy(
              "use an https endpoint; on a network that you trust, set config.allowPlaintextCredentials to true"));
}

HttpRequest VendorHttpCall::prepare(const VendorRequest& wanted, const HttpUrl& url, bool own,
                                    std::size_t max_body_bytes) const {
  HttpRequest request;
  request.method = wanted.method;
  request.url = url;
  request.body = wanted.body;
  request.max_body_bytes = max_body_bytes;
  request.accept_compressed = wanted.accept_compressed;
  for (const auto& [name, value] : wanted.headers) {
    if (own || may_go_anywhere(name)) request.headers.add(name, value);
  }
  if (own) {
    for (const auto& [name, value] : call_.settings->custom_headers) {
      if (!wanted.headers.find(name)) request.headers.add(name, value);
    }
    if (is_trace_id(call_.trace_id) && !request.headers.find("traceparent")) {
      request.headers.add("traceparent", traceparent(call_.trace_id, environment_.random));
    }
  }
  if (!request.headers.find("User-Agent")) request.headers.add("User-Agent", "inthub/" INTHUB_VERSION);
  return request;
}

Task<Result<HttpResponse>> VendorHttpCall::exchange(const HttpRequest& request, TransportProfilePtr profile,
                                                    Manner manner) {
  const CallSettings& settings = *call_.settings;
  const std::string& type = call_.target.type;
  const bool draft = call_.target.id.is_nil();
  std::optional<Result<HttpResponse>> answer;  // of the last attempt
  for (int attempt = 1;; ++attempt) {
    const Deadline now = std::chrono::steady_clock::now();
    const Deadline deadline = std::min(now + settings.exchange_timeout, call_.progress->deadline());
    if (deadline <= now) {
      if (answer) co_return *std::move(answer);
      co_return fail(Error(ErrorCode::deadline_exceeded,
                           fmt::format("the deadline of the call passed before {} was asked", request.url.origin()))
                         .with_reason("http.timeout"));
    }
    CircuitBreaker::Passage passage;
    if (!draft) {
      if (manner.observe || call_.observe_only) {
        passage = environment_.breaker.observe(call_.target.id, request.url.origin());
      } else {
        Result<CircuitBreaker::Passage> admitted = environment_.breaker.admit(call_.target.id, request.url.origin());
        if (!admitted) {
          // The breaker opened on this call's own failures: what the vendor did says more than that it is left alone
          // now.
          if (answer) co_return *std::move(answer);
          co_return fail(std::move(admitted).error());
        }
        passage = *std::move(admitted);
      }
    }

    auto outcome = co_await environment_.http.send(request, profile, deadline);
    const auto took = std::chrono::steady_clock::now() - now;

    AttemptOutcome attempted{.attempt = attempt, .retryable = false, .retry_after = std::nullopt};
    if (outcome) {
      environment_.metrics.exchanged(type, outcome_of(outcome->status), took);
      if (!manner.of_authenticator) {
        failure_.reset();
        timings_ = outcome->timings;
      }
      if (outcome->status >= 500) {
        const std::string cause = fmt::format("it answered {}", outcome->status);
        if (passage.failed(cause)) environment_.metrics.breaker_opened(type);
      } else {
        passage.succeeded();
      }
      attempted.retryable = is_retryable_status(outcome->status);
      if (attempted.retryable) attempted.retry_after = parse_retry_after(outcome->headers, environment_.clock.now());
      answer.emplace(*std::move(outcome));
    } else {
      HttpFailure failure = std::move(outcome).error();
      environment_.metrics.exchanged(type, outcome_of(failure.stage), took);
      failure.error = secrets_.clean(failure.error);
      const bool cut_short =
          is_timeout(failure.error) && deadline - now < std::min(settings.exchange_timeout, kFairTrial);
      if (cut_short) cut_short_ = true;
      if (!cut_short && !is_own_fault(failure.error)) {
        if (passage.failed(failure.error.message())) environment_.metrics.breaker_opened(type);
      }
      attempted.retryable = is_retryable_failure(failure.error);
      Error told = failure.error;
      if (attempt > 1) told = std::move(told).with_detail("attempts", std::to_string(attempt));
      answer.emplace(fail(std::move(told)));
      if (!manner.of_authenticator) failure_.emplace(std::move(failure));
    }

    if (manner.once) co_return *std::move(answer);
    const Deadline ended = std::chrono::steady_clock::now();
    const auto pause = plan_retry(attempted, settings.retry, environment_.random, ended, call_.progress->deadline());
    if (!pause) co_return *std::move(answer);
    passage = CircuitBreaker::Passage();  // a probe that taught nothing must not keep its place during the pause
    environment_.metrics.retried(type);
    co_await sleep_until(ended + *pause);
  }
}

Task<Result<HttpResponse>> VendorHttpCall::ask(Hop& hop, const VendorRequest& wanted) {
  Authenticator* const authenticator = hop.own ? call_.authenticator : nullptr;
  Result<TransportProfilePtr> profile = co_await profile_for(hop.own);
  if (!profile) co_return fail(std::move(profile).error());
  if (authenticator != nullptr) {
    failed_in_authentication_ = true;  // until it has not
    // Resolved up front, so that a credential that cannot be had is an error and not an anonymous request.
    const Result<SecretPtr> secret = co_await credential();
    if (!secret) co_return fail(secret.error());
    if (*secret != nullptr && !call_.settings->mutual_tls) {
      if (Result<void> allowed = may_send_credential(hop.request.url); !allowed)
        co_return fail(std::move(allowed).error());
    }
    const Result<void> authorized = co_await authenticator->authorize(*authentication_, hop.request, wanted.scopes);
    if (!authorized) co_return fail(secrets_.clean(authorized.error()));
    failed_in_authentication_ = false;
  }
  const Manner manner{
      .once = !wanted.retry || !is_idempotent(wanted.method), .observe = !wanted.retry, .of_authenticator = false};
  for (int challenges = 0;; ++challenges) {
    secrets_.remember_headers(hop.request.headers);
    hop.authenticated = (hop.own && call_.settings->mutual_tls) || has_credential_header(hop.request.headers);
    Result<HttpResponse> response = co_await exchange(hop.request, *profile, manner);
    if (!response || authenticator == nullptr || challenges >= kMostChallenges || !is_challenge(*response)) {
      co_return response;
    }
    const Result<bool> changed =
        co_await authenticator->answer_challenge(*authentication_, hop.request, wanted.scopes, *response);
    if (!changed) {
      failed_in_authentication_ = true;
      co_return fail(secrets_.clean(changed.error()));
    }
    if (!*changed) co_return response;
  }
}

Task<Result<VendorResponse>> VendorHttpCall::send(VendorRequest request) {
  failure_.reset();
  failed_in_authentication_ = false;
  Result<HttpUrl> first = target_url(*call_.settings, request.target);
  if (!first) co_return fail(std::move(first).error());
  HttpUrl url = *std::move(first);
  bool own = true;
  std::size_t bytes_left = request.max_body_bytes;
  std::set<std::string> visited;
  for (int redirects = 0;; ++redirects) {
    visited.insert(url.to_string());
    Hop hop{.request = prepare(request, url, own, bytes_left), .own = own, .authenticated = false};
    Result<HttpResponse> response = co_await ask(hop, request);
    if (!response) co_return fail(std::move(response).error());
    Result<std::optional<HttpUrl>> redirect = redirect_target(url, request.method, *response);
    if (!redirect) co_return fail(secrets_.clean(redirect.error()));
    std::optional<HttpUrl> next = *std::move(redirect);
    if (!next) {
      co_return VendorResponse{.status = response->status,
                               .headers = std::move(response->headers),
                               .body = std::move(response->body),
                               .url = std::move(url),
                               .timings = response->timings,
                               .peer = std::move(response->peer),
                               .authenticated = hop.authenticated};
    }
    if (redirects == kMostRedirects || visited.contains(next->to_string())) {
      co_return fail(
          Error(ErrorCode::vendor_failure,
                fmt::format("{} redirects in a circle or more than {} times", url.origin(), kMostRedirects))
              .with_reason("http.redirect_loop")
              .with_field("/endpoint")
              .with_remedy("check that the endpoint is the API's base URL, and the redirects of the proxy before it"));
    }
    bytes_left -= std::min(bytes_left, response->body.size());
    url = *std::move(next);
    own = own && call_.settings->owns(url);
  }
}

}  // namespace inthub
