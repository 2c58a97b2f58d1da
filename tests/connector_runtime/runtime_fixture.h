#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "authenticators/authenticator.h"
#include "connector_runtime/connector_runtime.h"
#include "connectors/vendor_http.h"
#include "context_thread.h"
#include "credentials/credential_resolver.h"
#include "foundation/metrics.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub::testing_support {

/// A connector whose operations a test writes; without a script they answer unsupported.
class ScriptedConnector final : public Connector {
 public:
  template <class T>
  using Script = std::function<Task<Result<T>>(CallContext&)>;
  Script<ConnectionTest> on_test;
  Script<HealthReport> on_health;
  Script<ResourceList> on_discover;
  Script<ResolvedDigest> on_resolve;
  Script<Manifest> on_manifest;

  Task<Result<ConnectionTest>> test_connection(CallContext& call) override {
    return on_test ? on_test(call) : Connector::test_connection(call);
  }
  Task<Result<HealthReport>> get_health(CallContext& call) override {
    return on_health ? on_health(call) : Connector::get_health(call);
  }
  Task<Result<ResourceList>> discover_resources(CallContext& call, const DiscoverRequest& request) override {
    return on_discover ? on_discover(call) : Connector::discover_resources(call, request);
  }
  Task<Result<ResolvedDigest>> resolve_tag_to_digest(CallContext& call, const ResolveRequest& request) override {
    return on_resolve ? on_resolve(call) : Connector::resolve_tag_to_digest(call, request);
  }
  Task<Result<Manifest>> fetch_manifest(CallContext& call, const ManifestRequest& request) override {
    return on_manifest ? on_manifest(call) : Connector::fetch_manifest(call, request);
  }
};

/// Knows the secrets that a test gave it, by ref.
class FakeResolver final : public CredentialResolver {
 public:
  std::map<std::string, std::string> secrets;
  std::atomic<int> resolved{0};

  Task<Result<SecretPtr>> resolve(TenantId, const CredentialRef& ref, Deadline) override {
    ++resolved;
    const auto found = secrets.find(ref.text());
    if (found == secrets.end()) {
      co_return fail(Error(ErrorCode::not_found, "there is no such credential")
                         .with_reason("authentication.credential_unresolvable")
                         .with_field("/credentialRef"));
    }
    co_return make_secret(std::string(found->second));
  }
};

/// Sends the secret as a bearer token, and answers challenges with what the test scripted.
class FakeAuthenticator final : public Authenticator {
 public:
  std::atomic<int> authorized{0};
  std::atomic<int> challenged{0};
  std::atomic<int> forgotten{0};
  /// Value of Authorization after a challenge; empty: challenges are not answered.
  std::string answer;
  /// Where to ask for a token first; empty: nowhere.
  std::string token_url;

  Task<Result<void>> authorize(AuthenticationContext& context, HttpRequest& request,
                               const std::vector<std::string>&) override {
    ++authorized;
    const Result<SecretPtr> secret = co_await context.secret();
    if (!secret) co_return fail(secret.error());
    if (!token_url.empty()) {
      HttpRequest asking;
      asking.url = HttpUrl::parse(token_url).value();
      const Result<HttpResponse> token = co_await context.send(std::move(asking));
      if (!token) co_return fail(token.error());
    }
    if (*secret) request.headers.set("Authorization", "Bearer " + std::string((*secret)->reveal()));
    co_return Result<void>();
  }
  Task<Result<bool>> answer_challenge(AuthenticationContext&, HttpRequest& request, const std::vector<std::string>&,
                                      const HttpResponse&) override {
    ++challenged;
    if (answer.empty()) co_return false;
    request.headers.set("Authorization", answer);
    co_return true;
  }
  void forget(IntegrationId) override { ++forgotten; }
};

/// A runtime around one scripted connector (type "test.scripted"), over the real HttpClient, which may reach loopback.
class RuntimeFixture : public testing::Test {
 protected:
  static constexpr const char* kRef = "authref://env/INTHUB_SECRET_TEST";
  static constexpr const char* kCanary = "canary-7f3a91c2d4e5";

  RuntimeFixture() {
    resolver_.secrets[kRef] = kCanary;
    ConnectorFactory factory;
    factory.type.id = "test.scripted";
    factory.authenticator = "fake";
    factory.make = [this] {
      auto made = std::make_unique<ScriptedConnector>();
      connector_ = made.get();
      return made;
    };
    EXPECT_TRUE(registry_.add(std::move(factory)));
    runtime_ =
        std::make_unique<ConnectorRuntime>(ConnectorRuntime::Dependencies{.connectors = registry_,
                                                                          .authenticators = {{"fake", authenticator_}},
                                                                          .credentials = resolver_,
                                                                          .http = http_,
                                                                          .clock = clock_,
                                                                          .random = random_,
                                                                          .metrics = metrics_});
  }

  // Before any destructor: what a test left running may still use members of the test's own class.
  void TearDown() override { thread_.run(runtime_->stop()); }

  /// An integration of the scripted type whose endpoint is `endpoint`. Retries come at once.
  CallTarget target(const std::string& endpoint, const Json& more = Json::object()) {
    Json config{{"endpoint", endpoint},
                {"timeout", 20},
                {"retryPolicy", {{"maxAttempts", 3}, {"initialDelayMs", 0}, {"maxDelayMs", 0}}}};
    config.update(more);
    CallTarget made;
    made.tenant = TenantId(Uuid{{9}});
    made.id = IntegrationId(Uuid{{1}});
    made.revision = 1;
    made.type = "test.scripted";
    made.config = share(std::move(config));
    made.credential_ref = kRef;
    return made;
  }

  /// Sends one request as a connector would, in a call of its own.
  Result<VendorResponse> send(CallTarget to, VendorRequest request, const CallOptions& options = {}) {
    std::optional<Result<VendorResponse>> response;
    connector_->on_manifest = [&](CallContext& call) { return forward(call, request, response); };
    const auto answer = thread_.run(
        runtime_->fetch_manifest(std::move(to), {.image_ref = std::to_string(++sends_), .platform = ""}, options));
    if (!response) return fail(answer.error());  // the call never came to the connector
    return *std::move(response);
  }
  static VendorRequest get(std::string path) {
    VendorRequest request;
    request.target = std::move(path);
    return request;
  }

  FakeClock clock_;
  FixedRandom random_;
  Metrics metrics_;
  AddressPolicy policy_ = AddressPolicy::make({"loopback"}).value();
  HttpClient http_{{}, policy_, metrics_};
  FakeResolver resolver_;
  std::shared_ptr<FakeAuthenticator> authenticator_ = std::make_shared<FakeAuthenticator>();
  ConnectorRegistry registry_;
  ScriptedConnector* connector_ = nullptr;
  std::unique_ptr<ConnectorRuntime> runtime_;
  ContextThread thread_;

 private:
  static Task<Result<Manifest>> forward(CallContext& call, VendorRequest request,
                                        std::optional<Result<VendorResponse>>& response) {
    response.emplace(co_await call.http.send(std::move(request)));
    if (!*response) co_return fail(response->error());
    co_return Manifest{};
  }
  int sends_ = 0;
};

}  // namespace inthub::testing_support
