// What does the hot path of resolving a tag pay for a hit in the tag cache, and does it allocate?
// What does the same answer cost when it is asked for through the coroutine that would fetch it on a miss?
// The named peer of the first is BoundedCache alone (cache_bench).
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

#include "authenticators/authenticator.h"
#include "connector_runtime/connector_runtime.h"
#include "credentials/credential_resolver.h"
#include "foundation/metrics.h"
#include "transport/address_policy.h"
#include "transport/http_client.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace inthub {
namespace {

constexpr std::size_t kImages = 4'096;

class FixedConnector final : public Connector {
 public:
  Task<Result<ResolvedDigest>> resolve_tag_to_digest(CallContext&, const ResolveRequest& request) override {
    ResolvedDigest resolved;
    resolved.image_ref = request.image_ref;
    resolved.digest = "sha256:" + std::string(64, 'a');
    co_return resolved;
  }
};

class NoCredentials final : public CredentialResolver {
 public:
  Task<Result<SecretPtr>> resolve(TenantId, const CredentialRef&, Deadline) override { co_return SecretPtr(); }
};

/// A runtime whose tag cache holds kImages resolutions.
struct WarmRuntime {
  WarmRuntime() {
    ConnectorFactory factory;
    factory.type.id = "registry.bench";
    factory.make = [] { return std::make_unique<FixedConnector>(); };
    if (!registry.add(std::move(factory))) std::abort();
    runtime.emplace(ConnectorRuntime::Dependencies{.connectors = registry,
                                                   .authenticators = {},
                                                   .credentials = credentials,
                                                   .http = http,
                                                   .clock = system_clock(),
                                                   .random = system_random(),
                                                   .metrics = metrics});
    target.id = IntegrationId(Uuid{{1}});
    target.revision = 1;
    target.type = "registry.bench";
    target.config = share(Json{{"endpoint", "https://registry.example"}});
    target.credential_ref = "authref://none";
    for (std::size_t i = 0; i < kImages; ++i) {
      requests.push_back(
          {.image_ref = "team/service-" + std::to_string(i) + ":v2.3.1", .platform = "", .strict = false});
    }
    for (const ResolveRequest& request : requests) resolve(request);
  }

  void resolve(const ResolveRequest& request) {
    asio::io_context context(1);
    asio::co_spawn(context.get_executor(), runtime->resolve_tag_to_digest(target, request, {}),
                   [](const std::exception_ptr& thrown, const Result<Answer<ResolvedDigest>>& answer) {
                     if (thrown || !answer) std::abort();
                   });
    context.run();
  }

  Metrics metrics;
  AddressPolicy policy = AddressPolicy::make({}).value();
  HttpClient http{{}, policy, metrics};
  NoCredentials credentials;
  ConnectorRegistry registry;
  std::optional<ConnectorRuntime> runtime;
  CallTarget target;
  std::vector<ResolveRequest> requests;
};

WarmRuntime& warm() {
  static WarmRuntime instance;
  return instance;
}

void report_allocations(benchmark::State& state, std::uint64_t before) {
  state.counters["allocations/op"] = static_cast<double>(allocations.load() - before) /
                                     static_cast<double>(std::max<std::int64_t>(state.iterations(), 1));
}

void BM_CachedResolution(benchmark::State& state) {
  WarmRuntime& hub = warm();
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * 97;
  const std::uint64_t before = allocations.load();
  for (auto _ : state) {
    std::chrono::seconds age{};
    auto hit = hub.runtime->cached_resolution(hub.target.id, 1, hub.requests[i++ % kImages], age);
    if (!hit) state.SkipWithError("a miss");
    benchmark::DoNotOptimize(hit);
  }
  if (state.threads() == 1) report_allocations(state, before);
}
BENCHMARK(BM_CachedResolution)->Threads(1)->Threads(2);

void BM_CachedResolutionThroughTheCoroutine(benchmark::State& state) {
  WarmRuntime& hub = warm();
  std::size_t i = 0;
  const std::uint64_t before = allocations.load();
  for (auto _ : state) hub.resolve(hub.requests[i++ % kImages]);
  report_allocations(state, before);
}
BENCHMARK(BM_CachedResolutionThroughTheCoroutine);

}  // namespace
}  // namespace inthub

BENCHMARK_MAIN();
