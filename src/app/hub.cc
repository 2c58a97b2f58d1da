#include "app/hub.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/authentication.h"
#include "app/built_in_connectors.h"
#include "authenticators/registry_authenticator.h"
#include "connector_runtime/connector_runtime.h"
#include "connectors/integration_type.h"
#include "credentials/secret_sealer.h"
#include "foundation/log.h"
#include "foundation/metrics.h"
#include "integration_manager/health_poller.h"
#include "integration_manager/integration_manager.h"
#include "persistence/sqlite/sqlite_store.h"
#include "persistence/store.h"
#include "server/http/http_server.h"
#include "server/rest/rest_api.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace inthub {
namespace {

constexpr unsigned kMaxDefaultWorkers = 8;
constexpr std::chrono::hours kIdempotencyRetention{24};
constexpr std::chrono::minutes kHousekeepingInterval{10};

/// Runs one coroutine to its end on a context of its own, before the workers exist or after they have gone.
template <class T>
T run_alone(Task<T> task) {
  asio::io_context context(1);
  std::optional<T> value;
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(task), [&](const std::exception_ptr& error, T result) {
    failure = error;
    if (!error) value.emplace(std::move(result));
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return *std::move(value);
}

/// Written beside its place and renamed, so that a reader sees all of it or nothing.
Result<void> write_private_file(const std::filesystem::path& path, std::string_view text) {
  const std::string partial = path.string() + ".partial";
  const int file = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  written = written && ::rename(partial.c_str(), path.c_str()) == 0;
  if (!written) {
    return fail(
        Error(ErrorCode::unavailable, fmt::format("{} cannot be written: {}", path.string(), std::strerror(reason)))
            .with_remedy("make the directory writable and free space on its disk"));
  }
  return {};
}

Task<void> keep_house(IdempotencyRepository& idempotency, const Clock& clock) {
  while (true) {
    auto expired = co_await idempotency.expire(clock.now() - kIdempotencyRetention);
    if (!expired) log::warning("old idempotency keys were not removed", {{"reason", expired.error().reason()}});
    co_await sleep_for(kHousekeepingInterval);
  }
}

bool is_loopback_name(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

struct Hub::Parts {
  Settings settings;
  std::vector<std::string> degraded;
  Metrics metrics;
  std::unique_ptr<Store> store;
  std::unique_ptr<SecretSealer> sealer;
  std::unique_ptr<CredentialResolver> credentials;
  ConnectorRegistry connectors;
  std::optional<AddressPolicy> addresses;
  std::unique_ptr<HttpClient> http;
  std::unique_ptr<ConnectorRuntime> runtime;
  std::unique_ptr<IntegrationManager> manager;
  std::unique_ptr<Authentication> authentication;
  // Polling and housekeeping have a thread of their own, so that they never delay a request.
  asio::io_context background{1};
  asio::executor_work_guard<IoExecutor> background_work{background.get_executor()};
  std::unique_ptr<TaskScope> housekeeping;
  std::unique_ptr<HealthPoller> poller;
  std::thread background_thread;
  std::unique_ptr<HttpServer> server;
  bool stopped = false;

  Result<void> open_store();
  Task<Result<SealedCredential>> find_sealed(TenantId tenant, CredentialId id);
  Result<void> build();
  Result<void> listen();
};

Result<void> Hub::Parts::open_store() {
  auto opened = open_sqlite_store(settings.data_dir, metrics);
  if (!opened) return fail(std::move(opened).error());
  store = *std::move(opened);
  const auto key_file = settings.master_key_file.empty() ? settings.data_dir / "master.key" : settings.master_key_file;
  auto loaded = SecretSealer::load(key_file, settings.master_key_file.empty());
  if (!loaded) return fail(std::move(loaded).error().with_context("master key"));
  sealer = *std::move(loaded);

  auto first_token = run_alone(bootstrap_access(*store, system_clock(), system_random()));
  if (!first_token) return fail(std::move(first_token).error().with_context("first start"));
  if (*first_token) {
    std::string text((*first_token)->reveal());
    text += '\n';
    auto written = write_private_file(settings.data_dir / "admin.token", text);
    wipe(text);
    if (!written) return written;
    log::info("first start: the admin token was written", {{"file", (settings.data_dir / "admin.token").string()}});
  }
  auto tokens = run_alone(store->tokens().all());
  if (!tokens) return fail(std::move(tokens).error());
  authentication = std::make_unique<Authentication>(system_clock());
  authentication->load(*tokens);
  return {};
}

Task<Result<SealedCredential>> Hub::Parts::find_sealed(TenantId tenant, CredentialId id) {
  auto found = co_await store->credentials().find(tenant, id);
  if (!found) co_return fail(std::move(found).error());
  co_return SealedCredential{.sealed = std::move(found->sealed), .key_id = std::move(found->key_id)};
}

Result<void> Hub::Parts::build() {
  if (auto added = add_built_in_connectors(connectors); !added) return added;
  Transaction types;
  for (const auto& entry : connectors.all()) {
    types.add(UpsertIntegrationType{IntegrationTypeRow{.id = entry->type.id,
                                                       .display_name = entry->type.display_name,
                                                       .description = entry->type.description,
                                                       .icon_url = entry->type.icon_url,
                                                       .config_schema = entry->type.config_schema,
                                                       .capabilities = entry->type.capabilities}});
  }
  if (auto stored = run_alone(store->commit(std::move(types))); !stored) return stored;

  auto policy = AddressPolicy::make(settings.outbound_allow);
  if (!policy) return fail(std::move(policy).error().with_context("outbound.allow"));
  addresses = *std::move(policy);
  if (std::ranges::find(settings.outbound_allow, "loopback") != settings.outbound_allow.end()) {
    degraded.emplace_back("integrations may reach services on this machine (outbound.allow contains \"loopback\")");
  }
  if (!is_loopback_name(settings.listen_host)) {
    degraded.emplace_back("the API is served without TLS beyond this machine; put a TLS proxy in front of it");
  }
  HttpClient::Options options;
  options.system_ca_file = settings.outbound_ca_file;
  options.user_agent = "inthub/" INTHUB_VERSION;
  http = std::make_unique<HttpClient>(std::move(options), *addresses, metrics);

  credentials = make_credential_resolver(
      ResolverOptions{.env_allowed = settings.credential_env_allowed, .file_roots = settings.credential_file_roots},
      *sealer, [this](TenantId tenant, CredentialId id) { return find_sealed(tenant, id); });
  runtime = std::make_unique<ConnectorRuntime>(
      ConnectorRuntime::Dependencies{.connectors = connectors,
                                     .authenticators = {{"registry", make_registry_authenticator(system_clock())}},
                                     .credentials = *credentials,
                                     .http = *http,
                                     .clock = system_clock(),
                                     .random = system_random(),
                                     .metrics = metrics});
  auto made = IntegrationManager::make(IntegrationManager::Dependencies{.store = *store,
                                                                        .connectors = connectors,
                                                                        .runtime = *runtime,
                                                                        .sealer = *sealer,
                                                                        .clock = system_clock(),
                                                                        .random = system_random(),
                                                                        .metrics = metrics});
  if (!made) return fail(std::move(made).error());
  manager = *std::move(made);

  poller = std::make_unique<HealthPoller>(background, *manager, *store,
                                          HealthPoller::Options{.usual_interval = settings.health_interval,
                                                                .slowest_interval = settings.health_slowest_interval,
                                                                .max_in_flight = settings.health_max_in_flight},
                                          system_clock(), system_random(), metrics);
  manager->set_change_listener([this](TenantId tenant, IntegrationId id, IntegrationManager::Change change) {
    poller->on_change(tenant, id, change);
  });
  housekeeping = std::make_unique<TaskScope>(background);
  return {};
}

Result<void> Hub::Parts::listen() {
  Router router = make_rest_router(RestDependencies{.integrations = *manager,
                                                    .connectors = connectors,
                                                    .store = *store,
                                                    .clock = system_clock(),
                                                    .metrics = metrics,
                                                    .degraded_modes = [this] { return degraded; }});
  HttpServer::Options options;
  options.host = settings.listen_host;
  options.port = settings.listen_port;
  options.workers = settings.workers != 0 ? settings.workers
                                          : std::clamp(std::thread::hardware_concurrency(), 1U, kMaxDefaultWorkers);
  auto listening = HttpServer::listen(
      std::move(options), std::move(router),
      [this](std::string_view authorization) { return authentication->check(authorization); }, metrics);
  if (!listening) return fail(std::move(listening).error());
  server = *std::move(listening);
  return {};
}

Result<std::unique_ptr<Hub>> Hub::start(const Settings& settings) {
  auto parts = std::make_unique<Parts>();
  parts->settings = settings;
  if (auto opened = parts->open_store(); !opened) return fail(std::move(opened).error());
  if (auto built = parts->build(); !built) return fail(std::move(built).error());
  if (auto listening = parts->listen(); !listening) return fail(std::move(listening).error());

  for (const std::string& mode : parts->degraded) log::warning("degraded mode", {{"what", mode}});
  parts->background_thread = std::thread([&context = parts->background] { context.run(); });
  parts->poller->start();
  parts->housekeeping->spawn([raw = parts.get()] { return keep_house(raw->store->idempotency(), system_clock()); });
  parts->server->start();
  return std::unique_ptr<Hub>(new Hub(std::move(parts)));
}

Hub::Hub(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Hub::~Hub() {
  stop(std::chrono::milliseconds(0));
}

std::string Hub::address() const {
  return parts_->server->address();
}
std::vector<std::string> Hub::degraded_modes() const {
  return parts_->degraded;
}

void Hub::stop(std::chrono::milliseconds drain) {
  Parts& parts = *parts_;
  if (std::exchange(parts.stopped, true)) return;
  parts.server->stop(drain);
  const auto stop_background = [&parts]() -> Task<bool> {
    co_await parts.poller->stop();
    co_await parts.housekeeping->cancel_and_join();
    co_await parts.runtime->stop();
    co_return true;
  };
  run_alone(stop_background());
  parts.background_work.reset();
  parts.background.stop();
  parts.background_thread.join();
}

}  // namespace inthub
