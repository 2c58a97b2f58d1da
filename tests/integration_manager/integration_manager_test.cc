#include "integration_manager/integration_manager.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdlib.h>

#include "access/authentication.h"
#include "connector_runtime/connector_runtime.h"
#include "connectors/connector.h"
#include "connectors/vendor_http.h"
#include "credentials/secret_sealer.h"
#include "foundation/metrics.h"
#include "integration_manager/health_poller.h"
#include "persistence/sqlite/sqlite_store.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/run_task.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub {
namespace {

using testing_support::run_task;

/// A vendor that is as healthy as the test says, and never touches the network.
class ScriptedConnector final : public Connector {
 public:
  struct Script {
    std::atomic<HealthStatus> health{HealthStatus::healthy};
    std::atomic<int> polls{0};
    std::atomic<int> running{0};
    std::atomic<int> most_running{0};
  };
  explicit ScriptedConnector(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Task<Result<HealthReport>> get_health(CallContext& call) override {
    ++script_->polls;
    const int now = ++script_->running;
    int most = script_->most_running;
    while (now > most && !script_->most_running.compare_exchange_weak(most, now)) {
    }
    co_await yield_to_context();
    --script_->running;
    HealthReport report;
    report.status = script_->health;
    report.code = "ok";
    report.checked_at = call.clock.now();
    co_return report;
  }

 private:
  std::shared_ptr<Script> script_;
};

constexpr std::string_view kSchema = R"({
  "type": "object", "additionalProperties": false, "required": ["endpoint"],
  "properties": {
    "endpoint": {"type": "string", "description": "where the service is"},
    "timeout": {"type": "number", "minimum": 1, "maximum": 120},
    "mode": {"enum": ["fast", "safe"]},
    "customHeaders": {"type": "object", "additionalProperties": {"type": "string"}}
  }})";

class IntegrationManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "inthub-manager-XXXXXX").string();
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    directory_ = made;
    auto opened = open_sqlite_store(directory_, metrics_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
    ASSERT_TRUE(run_task(bootstrap_access(*store_, clock_, random_)));
    principal_.tenant = run_task(store_->tenants().tenants())->front().id;
    principal_.user = run_task(store_->tenants().users(principal_.tenant))->front().id;
    principal_.permission = Permission::admin;

    IntegrationType type;
    type.id = "test.scripted";
    type.family = "test";
    type.display_name = "Scripted";
    type.config_schema = share(Json::parse(kSchema));
    ASSERT_TRUE(connectors_.add(ConnectorFactory{
        .type = type, .authenticator = "", .make = [this] { return std::make_unique<ScriptedConnector>(script_); }}));
    Transaction types;
    types.add(UpsertIntegrationType{IntegrationTypeRow{.id = type.id,
                                                       .display_name = type.display_name,
                                                       .description = {},
                                                       .icon_url = {},
                                                       .config_schema = type.config_schema,
                                                       .capabilities = {}}});
    ASSERT_TRUE(run_task(store_->commit(std::move(types))));

    sealer_ = SecretSealer::from_key_for_test(std::string(32, 'k'));
    resolver_ = make_credential_resolver({}, *sealer_, [](TenantId, CredentialId) -> Task<Result<SealedCredential>> {
      co_return fail(ErrorCode::not_found, "not used here");
    });
    runtime_ = std::make_unique<ConnectorRuntime>(ConnectorRuntime::Dependencies{.connectors = connectors_,
                                                                                 .authenticators = {},
                                                                                 .credentials = *resolver_,
                                                                                 .http = http_,
                                                                                 .clock = clock_,
                                                                                 .random = random_,
                                                                                 .metrics = metrics_});
    auto manager = IntegrationManager::make({.store = *store_,
                                             .connectors = connectors_,
                                             .runtime = *runtime_,
                                             .sealer = *sealer_,
                                             .clock = clock_,
                                             .random = random_,
                                             .metrics = metrics_});
    ASSERT_TRUE(manager);
    manager_ = *std::move(manager);
  }
  void TearDown() override {
    if (runtime_) run_task(runtime_->stop());
    manager_.reset();
    runtime_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  IntegrationInput input(std::string name, Json config = {{"endpoint", "https://vendor.example"}}) {
    return IntegrationInput{
        .type = "test.scripted", .name = std::move(name), .config = share(std::move(config)), .credential = {}};
  }
  IntegrationViewPtr create(std::string name) {
    auto made = run_task(manager_->create(principal_, input(std::move(name)), std::nullopt));
    EXPECT_TRUE(made) << made.error().message();
    return made->view;
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> types;
    const auto events = run_task(store_->events().list(principal_.tenant, 0, 1000));
    for (const Event& event : *events) types.push_back(event.type);
    return types;
  }
  std::vector<std::string> broken_fields(const IntegrationInput& given) {
    std::vector<std::string> fields;
    for (const Violation& violation : manager_->validate(given)) fields.push_back(violation.field);
    return fields;
  }

  Metrics metrics_;
  testing_support::FakeClock clock_;
  testing_support::FixedRandom random_;
  std::filesystem::path directory_;
  std::unique_ptr<Store> store_;
  Principal principal_;
  std::shared_ptr<ScriptedConnector::Script> script_ = std::make_shared<ScriptedConnector::Script>();
  ConnectorRegistry connectors_;
  std::unique_ptr<SecretSealer> sealer_;
  std::unique_ptr<CredentialResolver> resolver_;
  AddressPolicy addresses_ = *AddressPolicy::make({});
  HttpClient http_{HttpClient::Options{}, addresses_, metrics_};
  std::unique_ptr<ConnectorRuntime> runtime_;
  std::unique_ptr<IntegrationManager> manager_;
};

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST_F(IntegrationManagerTest, CreatedIntegrationIsFoundByIdAndByName) {
  const auto made = create("one");
  EXPECT_EQ((*run_task(manager_->get(principal_.tenant, made->integration.id)))->integration.name, "one");
  EXPECT_EQ((*run_task(manager_->get(principal_.tenant, std::string("one"))))->integration.id, made->integration.id);
}

TEST_F(IntegrationManagerTest, AnotherTenantsIntegrationIsNotFound) {
  const auto made = create("one");
  const TenantId other(Uuid::make(clock_, random_));
  run_task(manager_->get(principal_.tenant, made->integration.id));  // warms the read model
  EXPECT_EQ(run_task(manager_->get(other, made->integration.id)).error().code(), ErrorCode::not_found);
  EXPECT_EQ(manager_->find_cached(other, made->integration.id), nullptr);
}

TEST_F(IntegrationManagerTest, EveryBrokenRuleIsReportedAtOnce) {
  const auto given = IntegrationInput{.type = "test.scripted",
                                      .name = " padded",
                                      .config = share(Json{{"timeout", 0}, {"mode", "wild"}, {"colour", "red"}}),
                                      .credential = {.ref = "authref://", .secret = nullptr}};
  EXPECT_THAT(broken_fields(given), testing::UnorderedElementsAre("/name", "/credentials/ref", "/config/endpoint",
                                                                  "/config/timeout", "/config/mode", "/config/colour"));
}

TEST_F(IntegrationManagerTest, UnknownTypeNamesTheKnownOnes) {
  auto given = input("one");
  given.type = "scm.sourceforge";
  const auto violations = manager_->validate(given);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].field, "/type");
  EXPECT_THAT(violations[0].message, HasSubstr("test.scripted"));
}

TEST_F(IntegrationManagerTest, HeadersThatCarryACredentialAreRefused) {
  for (const std::string name : {"Authorization", "PRIVATE-TOKEN", "X-Api-Key", "Cookie", "Host", "Content-Length"}) {
    const auto given = input("one", {{"endpoint", "https://vendor.example"}, {"customHeaders", {{name, "x"}}}});
    EXPECT_THAT(broken_fields(given), ElementsAre("/config/customHeaders/" + name)) << name;
  }
}

TEST_F(IntegrationManagerTest, HeaderValuesThatLookLikeCredentialsAreRefusedAndNotEchoed) {
  const std::string value = "Bearer abcdefghijklmnopqrstuvwxyz0123456789";
  const auto given = input("one", {{"endpoint", "https://vendor.example"}, {"customHeaders", {{"X-Team", value}}}});
  const auto violations = manager_->validate(given);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_THAT(violations[0].message, Not(HasSubstr("abcdefghijkl")));
}

TEST_F(IntegrationManagerTest, HeaderWithALineBreakIsRefused) {
  const auto given =
      input("one", {{"endpoint", "https://vendor.example"}, {"customHeaders", {{"X-Team", "a\r\nInjected: b"}}}});
  EXPECT_THAT(broken_fields(given), ElementsAre("/config/customHeaders/X-Team"));
}

TEST_F(IntegrationManagerTest, EndpointWithAPasswordIsRefused) {
  EXPECT_THAT(broken_fields(input("one", {{"endpoint", "https://user:pass@vendor.example"}})),
              ElementsAre("/config/endpoint"));
}

TEST_F(IntegrationManagerTest, NamesThatWouldReadAsSomethingElseAreRefused) {
  const std::vector<std::string> names{"", "local", "01890a5d-ac96-774b-bcce-b302099a8057", "a\tb",
                                       std::string(121, 'x')};
  for (const std::string& name : names) {
    EXPECT_THAT(broken_fields(input(name)), ElementsAre("/name")) << name;
  }
  EXPECT_THAT(broken_fields(input("Produktion Zürich 🚀")), ElementsAre());
}

TEST_F(IntegrationManagerTest, ATakenNameIsAConflictAndStoresNothing) {
  create("one");
  const auto again = run_task(manager_->create(principal_, input("one"), std::nullopt));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::conflict);
  EXPECT_EQ(again.error().field(), "/name");
  EXPECT_THAT(event_types(), ElementsAre("integration.created"));
}

TEST_F(IntegrationManagerTest, ASecretIsSealedAndAnsweredAsARef) {
  auto given = input("one");
  given.credential.secret = make_secret(std::string("plain-canary-41"));
  const auto made = run_task(manager_->create(principal_, std::move(given), std::nullopt));
  ASSERT_TRUE(made);
  EXPECT_THAT(made->view->integration.credential_ref, testing::StartsWith("authref://local/"));
  EXPECT_THAT(made->view->json, Not(HasSubstr("plain-canary")));
  const auto stored = run_task(store_->credentials().find(principal_.tenant, made->view->integration.credential_id));
  ASSERT_TRUE(stored);
  EXPECT_THAT(stored->sealed, Not(HasSubstr("plain-canary")));
  const auto opened = sealer_->open(principal_.tenant, stored->id, stored->sealed, stored->key_id);
  ASSERT_TRUE(opened);
  EXPECT_EQ((*opened)->reveal(), "plain-canary-41");
}

TEST_F(IntegrationManagerTest, WithoutACredentialTheRefIsNone) {
  EXPECT_EQ(create("one")->integration.credential_ref, "authref://none");
}

TEST_F(IntegrationManagerTest, AnotherIntegrationsLocalCredentialCannotBeBorrowed) {
  auto given = input("one");
  given.credential.ref = "authref://local/01890a5d-ac96-774b-bcce-b302099a8057";
  EXPECT_THAT(broken_fields(given), ElementsAre("/credentials/ref"));
}

TEST_F(IntegrationManagerTest, RepeatingAnIdempotentCreateAnswersTheFirstResult) {
  const Idempotency key{.key = "k1", .request_sha256 = std::string(32, 'a')};
  const auto first = run_task(manager_->create(principal_, input("one"), key));
  const auto second = run_task(manager_->create(principal_, input("one"), key));
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(second->replayed);
  EXPECT_EQ(second->view->json, first->view->json);
  EXPECT_THAT(event_types(), ElementsAre("integration.created"));
}

TEST_F(IntegrationManagerTest, AnIdempotencyKeyOfAnotherRequestIsRefused) {
  run_task(
      manager_->create(principal_, input("one"), Idempotency{.key = "k1", .request_sha256 = std::string(32, 'a')}));
  const auto other = run_task(
      manager_->create(principal_, input("two"), Idempotency{.key = "k1", .request_sha256 = std::string(32, 'b')}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason(), "idempotency.key_reused");
}

TEST_F(IntegrationManagerTest, UpdateRaisesTheRevisionAndKeepsTheCredential) {
  auto given = input("one");
  given.credential.secret = make_secret(std::string("secret"));
  const auto made = run_task(manager_->create(principal_, std::move(given), std::nullopt));
  const auto& before = made->view->integration;
  const auto after = run_task(manager_->update(principal_, before.id, input("renamed"), before.revision));
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ((*after)->integration.revision, 2);
  EXPECT_EQ((*after)->integration.name, "renamed");
  EXPECT_EQ((*after)->integration.credential_ref, before.credential_ref);
  EXPECT_EQ((*run_task(manager_->get(principal_.tenant, before.id)))->integration.name, "renamed");
}

TEST_F(IntegrationManagerTest, UpdateOfAnOlderRevisionIsStale) {
  const auto made = create("one");
  ASSERT_TRUE(run_task(manager_->update(principal_, made->integration.id, input("two"), 1)));
  const auto stale = run_task(manager_->update(principal_, made->integration.id, input("three"), 1));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code(), ErrorCode::stale_revision);
}

TEST_F(IntegrationManagerTest, TheTypeCannotChange) {
  const auto made = create("one");
  auto given = input("one");
  given.type = "registry.other";
  const auto changed = run_task(manager_->update(principal_, made->integration.id, std::move(given), std::nullopt));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), ErrorCode::validation_failed);
}

TEST_F(IntegrationManagerTest, ANewCredentialReplacesTheOldRow) {
  auto given = input("one");
  given.credential.secret = make_secret(std::string("old"));
  const auto made = run_task(manager_->create(principal_, std::move(given), std::nullopt));
  auto change = input("one");
  change.credential.secret = make_secret(std::string("new"));
  const auto after =
      run_task(manager_->update(principal_, made->view->integration.id, std::move(change), std::nullopt));
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_NE((*after)->integration.credential_id, made->view->integration.credential_id);
  EXPECT_FALSE(run_task(store_->credentials().find(principal_.tenant, made->view->integration.credential_id)));
}

TEST_F(IntegrationManagerTest, DeletedIntegrationIsGoneWithItsCredential) {
  auto given = input("one");
  given.credential.secret = make_secret(std::string("old"));
  const auto made = run_task(manager_->create(principal_, std::move(given), std::nullopt));
  const auto& integration = made->view->integration;
  ASSERT_TRUE(run_task(manager_->remove(principal_, integration.id, std::nullopt)));
  EXPECT_EQ(run_task(manager_->get(principal_.tenant, integration.id)).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(run_task(store_->credentials().find(principal_.tenant, integration.credential_id)));
  EXPECT_THAT(event_types(), ElementsAre("integration.created", "integration.deleted"));
}

TEST_F(IntegrationManagerTest, HealthIsRecordedAndAChangeIsAnEvent) {
  const auto made = create("one");
  const auto id = made->integration.id;
  const auto poll = [&] { return run_task(manager_->poll(principal_.tenant, id, CallOptions{})); };
  const auto shown = [&] { return (*run_task(manager_->get(principal_.tenant, id)))->integration.health; };
  ASSERT_TRUE(poll());
  EXPECT_EQ(shown(), "healthy");
  script_->health = HealthStatus::unhealthy;
  ASSERT_TRUE(poll());
  EXPECT_EQ(shown(), "healthy");
  ASSERT_TRUE(poll());
  EXPECT_EQ(shown(), "unhealthy");
  EXPECT_THAT(event_types(),
              ElementsAre("integration.created", "integration.health_changed", "integration.health_changed"));
}

TEST_F(IntegrationManagerTest, ACachedHealthAnswerIsNotAnotherObservation) {
  const auto made = create("one");
  ASSERT_TRUE(run_task(manager_->health(principal_.tenant, made->integration.id, CallOptions{})));
  const auto again = run_task(manager_->health(principal_.tenant, made->integration.id, CallOptions{}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->cached);
  EXPECT_EQ(script_->polls, 1);
}

TEST_F(IntegrationManagerTest, PollerWatchesWhatIsStoredAndWhatIsCreatedLater) {
  create("stored");
  asio::io_context background(1);
  HealthPoller poller(background, *manager_, *store_,
                      HealthPoller::Options{.usual_interval = std::chrono::seconds(0),
                                            .slowest_interval = std::chrono::seconds(0),
                                            .max_in_flight = 2,
                                            .timeout = std::chrono::seconds(10)},
                      clock_, random_, metrics_);
  manager_->set_change_listener([&](TenantId tenant, IntegrationId id, IntegrationManager::Change change) {
    poller.on_change(tenant, id, change);
  });
  poller.start();
  for (int i = 0; i < 5; ++i) create("later-" + std::to_string(i));

  const auto all_healthy = [&] {
    const auto page = run_task(manager_->list(principal_.tenant, {}, Page{.offset = 0, .limit = 50, .after = {}}));
    return std::ranges::all_of(page->items, [](const Integration& one) { return one.health == "healthy"; });
  };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!all_healthy() && std::chrono::steady_clock::now() < give_up) {
    background.restart();
    background.run_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(all_healthy());
  EXPECT_LE(script_->most_running, 2) << "more polls in flight than allowed";
  run_task(background, poller.stop());
  manager_->set_change_listener(nullptr);
}

}  // namespace
}  // namespace inthub
