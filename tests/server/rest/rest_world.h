#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "authenticators/authenticator.h"
#include "connector_runtime/connector_runtime.h"
#include "credentials/credential_resolver.h"
#include "credentials/secret_sealer.h"
#include "foundation/log.h"
#include "foundation/metrics.h"
#include "integration_manager/integration_manager.h"
#include "persistence/sqlite/sqlite_store.h"
#include "server/http/http_server.h"
#include "server/rest/rest_api.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/http_exchange.h"
#include "support/openapi_contract.h"
#include "support/run_task.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub::rest_test {

using testing_support::HttpAnswer;

/// What the connector answers; a test replaces what it cares about before it sends.
struct Script {
  std::function<Result<ConnectionTest>()> test;
  std::function<Result<HealthReport>()> health;
  std::function<Result<ResourceList>(const DiscoverRequest&)> discover;
  std::function<Result<ResolvedDigest>(const ResolveRequest&)> resolve;
  std::function<Result<Manifest>(const ManifestRequest&)> manifest;
  std::function<Result<Verification>(const VerifyRequest&)> verify;
};

/// A connector without a vendor.
class ScriptedConnector final : public Connector {
 public:
  explicit ScriptedConnector(std::shared_ptr<const Script> script) : script_(std::move(script)) {}
  Task<Result<ConnectionTest>> test_connection(CallContext& /*call*/) override { co_return script_->test(); }
  Task<Result<HealthReport>> get_health(CallContext& /*call*/) override { co_return script_->health(); }
  Task<Result<ResourceList>> discover_resources(CallContext& /*call*/, const DiscoverRequest& request) override {
    co_return script_->discover(request);
  }
  Task<Result<ResolvedDigest>> resolve_tag_to_digest(CallContext& /*call*/, const ResolveRequest& request) override {
    co_return script_->resolve(request);
  }
  Task<Result<Manifest>> fetch_manifest(CallContext& /*call*/, const ManifestRequest& request) override {
    co_return script_->manifest(request);
  }
  Task<Result<Verification>> verify_digest(CallContext& /*call*/, const VerifyRequest& request) override {
    co_return script_->verify(request);
  }

 private:
  std::shared_ptr<const Script> script_;
};

/// Knows tests and health only.
class ModestConnector final : public Connector {
 public:
  explicit ModestConnector(std::shared_ptr<const Script> script) : script_(std::move(script)) {}
  Task<Result<ConnectionTest>> test_connection(CallContext& /*call*/) override { co_return script_->test(); }
  Task<Result<HealthReport>> get_health(CallContext& /*call*/) override { co_return script_->health(); }

 private:
  std::shared_ptr<const Script> script_;
};

/// Passes everything on, except that check_writable() can be made to fail.
class StoreWithSwitch final : public Store {
 public:
  explicit StoreWithSwitch(Store& inner) : inner_(inner) {}
  IntegrationRepository& integrations() override { return inner_.integrations(); }
  CredentialRepository& credentials() override { return inner_.credentials(); }
  TokenRepository& tokens() override { return inner_.tokens(); }
  EventRepository& events() override { return inner_.events(); }
  IdempotencyRepository& idempotency() override { return inner_.idempotency(); }
  TenantRepository& tenants() override { return inner_.tenants(); }
  Task<Result<void>> commit(Transaction transaction) override { return inner_.commit(std::move(transaction)); }
  Task<Result<void>> check_writable() override {
    if (full) co_return fail(Error(ErrorCode::unavailable, "the disk is full").with_reason("store.full"));
    co_return co_await inner_.check_writable();
  }
  std::atomic<bool> full{false};

 private:
  Store& inner_;
};

/// Lets every request through as it is.
class NoAuthenticator final : public Authenticator {
 public:
  Task<Result<void>> authorize(AuthenticationContext& /*context*/, HttpRequest& /*request*/,
                               const std::vector<std::string>& /*scopes*/) override {
    co_return Result<void>();
  }
  Task<Result<bool>> answer_challenge(AuthenticationContext& /*context*/, HttpRequest& /*request*/,
                                      const std::vector<std::string>& /*scopes*/,
                                      const HttpResponse& /*refusal*/) override {
    co_return false;
  }
  void forget(IntegrationId /*integration*/) override {}
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "inthub-rest-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The store reports each database that it makes; a hundred of them would bury a failure.
inline const bool kQuietLog = [] {
  log::configure(log::Level::warning, log::Format::text);
  return true;
}();

inline constexpr std::string_view kDigest = "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7";

/// The hub's REST API on a real server, over a real store, with a scripted connector at the other end. Every answer
/// that send() gets is held against api/openapi.yaml. Tokens: "read", "use", "manage" of one tenant, "other" (manage)
/// of another.
class RestWorld {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  RestWorld() : contract(openapi_json()), script(std::make_shared<Script>(default_script())) {
    store = open_sqlite_store(directory_.path(), metrics).value();
    switched = std::make_unique<StoreWithSwitch>(*store);
    register_types();
    seed();
    runtime = std::make_unique<ConnectorRuntime>(
        ConnectorRuntime::Dependencies{.connectors = connectors,
                                       .authenticators = {{"none", std::make_shared<NoAuthenticator>()}},
                                       .credentials = *resolver,
                                       .http = http,
                                       .clock = clock,
                                       .random = random,
                                       .metrics = metrics});
    manager = IntegrationManager::make({.store = *switched,
                                        .connectors = connectors,
                                        .runtime = *runtime,
                                        .sealer = *sealer,
                                        .clock = clock,
                                        .random = random,
                                        .metrics = metrics})
                  .value();
    server = HttpServer::listen(
                 {.workers = 1, .max_body_bytes = std::size_t{1} << 20},
                 make_rest_router({.integrations = *manager,
                                   .connectors = connectors,
                                   .store = *switched,
                                   .clock = clock,
                                   .metrics = metrics,
                                   .degraded_modes = [this] { return degraded; }}),
                 [](std::string_view authorization) { return authenticate(authorization); }, metrics)
                 .value();
    server->start();
  }
  ~RestWorld() {
    server->stop(std::chrono::seconds(5));
    testing_support::run_task(runtime->stop());
  }
  RestWorld(const RestWorld&) = delete;
  RestWorld& operator=(const RestWorld&) = delete;

  HttpAnswer send(std::string_view method, std::string_view target, std::string_view body = {}, Headers headers = {},
                  std::string_view token = "manage") {
    if (!token.empty()) headers.emplace_back("Authorization", "Bearer " + std::string(token));
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return send_plain(method, target, body, headers);
  }
  /// Without adding a header.
  HttpAnswer send_plain(std::string_view method, std::string_view target, std::string_view body = {},
                        const Headers& headers = {}) {
    HttpAnswer answer = testing_support::http_exchange(server->port(), method, target, headers, body);
    const std::string type = answer.header("content-type");
    const std::string_view path = target.substr(0, target.find('?'));
    if (contract.template_of(path) && answer.status != 405) {
      const auto problems = contract.check_answer(method, path,
                                                  {.status = answer.status,
                                                   .content_type = std::string_view(type).substr(0, type.find(';')),
                                                   .headers = answer.headers,
                                                   .body = answer.body});
      for (const std::string& problem : problems) {
        ADD_FAILURE() << method << ' ' << target << " answered " << answer.status
                      << " against the OpenAPI document: " << problem << "\n"
                      << answer.body;
      }
    }
    return answer;
  }
  Json json(const HttpAnswer& answer) const { return Json::parse(answer.body); }
  Json data(const HttpAnswer& answer) const { return Json::parse(answer.body).at("data"); }
  Json error(const HttpAnswer& answer) const { return Json::parse(answer.body).at("error"); }

  static Json draft(std::string name, std::string type = "registry.scripted") {
    return Json{
        {"type", std::move(type)}, {"name", std::move(name)}, {"config", {{"endpoint", "https://vendor.example"}}}};
  }
  /// Creates an integration and answers its id.
  std::string create(std::string name, std::string type = "registry.scripted") {
    const HttpAnswer answer = send("POST", "/api/v1/integrations", draft(std::move(name), std::move(type)).dump());
    EXPECT_EQ(answer.status, 201) << answer.body;
    return data(answer).at("id").get<std::string>();
  }
  static std::string path(const std::string& id, std::string_view rest = {}) {
    return "/api/v1/integrations/" + id + std::string(rest);
  }

 private:
  TemporaryDirectory directory_;

 public:
  testing_support::OpenApiContract contract;
  std::shared_ptr<Script> script;
  std::vector<std::string> degraded;
  testing_support::FakeClock clock;
  testing_support::FixedRandom random;
  Metrics metrics;
  ConnectorRegistry connectors;
  AddressPolicy policy = AddressPolicy::make({}).value();
  HttpClient http{{}, policy, metrics};
  std::unique_ptr<SecretSealer> sealer = SecretSealer::from_key_for_test(std::string(32, 'k'));
  std::unique_ptr<CredentialResolver> resolver =
      make_credential_resolver({}, *sealer, [](TenantId, CredentialId) -> Task<Result<SealedCredential>> {
        co_return fail(ErrorCode::not_found, "no sealed credential is needed here");
      });
  std::unique_ptr<Store> store;
  std::unique_ptr<StoreWithSwitch> switched;
  std::unique_ptr<ConnectorRuntime> runtime;
  std::unique_ptr<IntegrationManager> manager;
  std::unique_ptr<HttpServer> server;

  static TenantId tenant(int number) { return TenantId(uuid_of(0x10 + number)); }
  static UserId user(int number) { return UserId(uuid_of(0x20 + number)); }

 private:
  static Uuid uuid_of(int last_byte) {
    Uuid uuid;
    uuid.bytes[6] = 0x70;
    uuid.bytes[8] = 0x80;
    uuid.bytes[15] = static_cast<std::uint8_t>(last_byte);
    return uuid;
  }
  static Result<Principal> authenticate(std::string_view authorization) {
    static const std::map<std::string, std::pair<int, Permission>, std::less<>> kTokens{
        {"Bearer read", {1, Permission::read}},
        {"Bearer use", {1, Permission::use}},
        {"Bearer manage", {1, Permission::manage}},
        {"Bearer other", {2, Permission::manage}}};
    const auto found = kTokens.find(authorization);
    if (found == kTokens.end()) return fail(ErrorCode::unauthenticated, "the API token is missing or not valid");
    const auto [number, permission] = found->second;
    return Principal{.tenant = tenant(number), .user = user(number), .token = {}, .permission = permission};
  }
  static Script default_script() {
    return {
        .test =
            [] {
              ConnectionTest test{.success = true,
                                  .error_message = {},
                                  .details = {{"product", "scripted"}},
                                  .latency = std::chrono::milliseconds(12),
                                  .steps = {{.name = "dns",
                                             .status = StepStatus::pass,
                                             .code = "ok",
                                             .message = "resolved",
                                             .duration = std::chrono::microseconds(1234),
                                             .field = {},
                                             .remedy = {}}},
                                  .tested_at = Timestamp(std::chrono::seconds(1'768'330'419))};
              return Result<ConnectionTest>(std::move(test));
            },
        .health =
            [] {
              return Result<HealthReport>(HealthReport{.status = HealthStatus::healthy,
                                                       .code = "ok",
                                                       .message = "all is well",
                                                       .remedy = {},
                                                       .details = {},
                                                       .latency = std::chrono::milliseconds(7),
                                                       .checked_at = Timestamp(std::chrono::seconds(1'768'330'419))});
            },
        .discover = [](const DiscoverRequest& request) -> Result<ResourceList> {
          ResourceList list;
          for (const char* name : {"v1", "v2", "v3"}) {
            list.resources.push_back({.type = request.resource_type,
                                      .id = request.parent_id + ":" + name,
                                      .name = name,
                                      .url = {},
                                      .parent_id = request.parent_id,
                                      .attributes = {}});
          }
          return list;
        },
        .resolve = [](const ResolveRequest& request) -> Result<ResolvedDigest> {
          return ResolvedDigest{.image_ref = request.image_ref,
                                .repository = "team/app",
                                .tag = "v1",
                                .digest = std::string(kDigest),
                                .manifest_type = "application/vnd.oci.image.manifest.v1+json",
                                .size_bytes = 527,
                                .pushed_at = std::nullopt,
                                .details = {}};
        },
        .manifest = [](const ManifestRequest& request) -> Result<Manifest> {
          return Manifest{.image_ref = request.image_ref,
                          .digest = std::string(kDigest),
                          .media_type = "application/vnd.oci.image.index.v1+json",
                          .bytes = "{ \"schemaVersion\": 2,\n \"manifests\": [] }",
                          .platforms = {{.name = "linux/arm64", .digest = std::string(kDigest), .size_bytes = 500}}};
        },
        .verify = [](const VerifyRequest& request) -> Result<Verification> {
          return Verification{.verified = request.digest == kDigest,
                              .image_ref = request.image_ref,
                              .expected_digest = request.digest,
                              .actual_digest = std::string(kDigest),
                              .code = request.digest == kDigest ? "ok" : "registry.digest_mismatch",
                              .message = "compared"};
        }};
  }
  static IntegrationType type_named(std::string id, std::string family) {
    return {.id = std::move(id),
            .family = std::move(family),
            .display_name = "Scripted",
            .description = "Answers what a test says.",
            .icon_url = {},
            .source = "built-in",
            .config_schema = share(Json::parse(R"({"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
                "required":["endpoint"],"additionalProperties":false,
                "properties":{"endpoint":{"type":"string"},"timeout":{"type":"integer","minimum":1,"maximum":120}}})")),
            .capabilities = {"repos", "tags"},
            .resource_types = {},
            .operations = {},
            .auth_modes = {"token"},
            .credential_required = false,
            .check_rules = {}};
  }
  void register_types() {
    ConnectorFactory full{.type = type_named("registry.scripted", "registry"), .authenticator = "none", .make = [this] {
                            return std::make_unique<ScriptedConnector>(script);
                          }};
    full.type.resource_types = {{.name = "repos", .parent_type = {}, .description = "Repositories"},
                                {.name = "tags", .parent_type = "repos", .description = "Tags"}};
    full.type.operations = {"resolve", "manifest", "verify"};
    ConnectorFactory modest{.type = type_named("scm.modest", "scm"), .authenticator = "none", .make = [this] {
                              return std::make_unique<ModestConnector>(script);
                            }};
    EXPECT_TRUE(connectors.add(std::move(full)).has_value());
    EXPECT_TRUE(connectors.add(std::move(modest)).has_value());
  }
  void seed() {
    Transaction transaction;
    for (const int number : {1, 2}) {
      transaction.add(
          InsertTenant{{.id = tenant(number), .name = "tenant " + std::to_string(number), .created_at = clock.now()}});
      transaction.add(
          InsertUser{{.id = user(number), .tenant = tenant(number), .name = "user", .created_at = clock.now()}});
    }
    for (const auto& entry : connectors.all()) {
      transaction.add(UpsertIntegrationType{{.id = entry->type.id,
                                             .display_name = entry->type.display_name,
                                             .description = entry->type.description,
                                             .icon_url = {},
                                             .config_schema = entry->type.config_schema,
                                             .capabilities = entry->type.capabilities}});
    }
    const auto seeded = testing_support::run_task(store->commit(std::move(transaction)));
    EXPECT_TRUE(seeded.has_value());
  }
};

}  // namespace inthub::rest_test
