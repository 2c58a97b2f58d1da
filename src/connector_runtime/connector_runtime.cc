#include "connector_runtime/connector_runtime.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <fmt/format.h>

#include "authenticators/authenticator.h"
#include "connector_runtime/call_cache.h"
#include "connector_runtime/call_key.h"
#include "connector_runtime/call_secrets.h"
#include "connector_runtime/call_settings.h"
#include "connector_runtime/circuit_breaker.h"
#include "connector_runtime/concurrency_limit.h"
#include "connector_runtime/failed_answers.h"
#include "connector_runtime/single_flight.h"
#include "connector_runtime/vendor_http_call.h"
#include "connector_runtime/vendor_metrics.h"
#include "foundation/log.h"
#include "foundation/metrics.h"

namespace inthub {
namespace {

/// No call takes longer, whatever deadline its caller gives.
constexpr std::chrono::seconds kLongestCall{120};
/// Integrations whose config is kept in its parsed form.
constexpr CacheOptions kSettingsCache{
    .max_entries = 2'000, .ttl = std::chrono::minutes(10), .expiry = CacheExpiry::absolute, .max_lifetime = {}};

/// What a piece of shared work ends with.
template <class T>
struct Flown {
  Result<std::shared_ptr<const T>> result;
  bool cacheable = true;
};
template <class T>
using Flights = SingleFlight<CallKey, Flown<T>>;

Error error_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() == asio::error::operation_aborted) {
      return Error(ErrorCode::unavailable, "the hub is shutting down; the call was given up")
          .with_reason("runtime.stopping")
          .with_remedy("ask again in a moment");
    }
    log::exception("connector call", thrown);
  } catch (...) {
    log::exception("connector call", thrown);
  }
  return Error(ErrorCode::internal, "the connector failed in a way that it should not; the hub's log has the details")
      .with_reason("connector.bug");
}

template <class T>
Flown<T> flown_exception(const std::exception_ptr& thrown) {
  return {.result = fail(error_of(thrown)), .cacheable = false};
}

/// How an error of the connector becomes an answer, for the operations whose answer can tell a failure.
std::optional<ConnectionTest> as_answer(const Error& error, const CallTrail& trail, const ConnectionTest*) {
  return failed_test(error, trail);
}
std::optional<HealthReport> as_answer(const Error& error, const CallTrail&, const HealthReport*) {
  return unhealthy_report(error);
}
template <class T>
std::optional<T> as_answer(const Error&, const CallTrail&, const T*) {
  return std::nullopt;
}

void finish(ConnectionTest& test, const CallSecrets& secrets, Timestamp now, std::chrono::milliseconds took) {
  secrets.clean(test);
  if (test.tested_at == Timestamp()) test.tested_at = now;
  if (test.latency.count() == 0) test.latency = took;
}
void finish(HealthReport& report, const CallSecrets& secrets, Timestamp now, std::chrono::milliseconds took) {
  secrets.clean(report);
  if (report.checked_at == Timestamp()) report.checked_at = now;
  if (report.latency.count() == 0) report.latency = took;
}
template <class T>
void finish(T&, const CallSecrets&, Timestamp, std::chrono::milliseconds) {}

/// inthub_connector_calls_total{operation,outcome} and inthub_connector_call_seconds{operation}.
class CallMetrics {
 public:
  CallMetrics(Metrics& metrics, std::string_view operation)
      : metrics_(metrics),
        operation_(operation),
        ok_(counter("ok")),
        shared_(metrics.counter("inthub_connector_calls_shared_total",
                                "Calls that were answered by an identical call already running.",
                                {{"operation", operation_}})),
        seconds_(metrics.histogram(
            "inthub_connector_call_seconds", "Duration of calls that were not answered from a cache.",
            {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120}, {{"operation", operation_}})) {}

  void ended(const Error* error, std::chrono::steady_clock::duration took) {
    (error == nullptr ? ok_ : counter(describe(error->code()).name)).add();
    seconds_.observe(std::chrono::duration<double>(took).count());
  }
  void shared() { shared_.add(); }

 private:
  Counter& counter(std::string_view outcome) {
    return metrics_.counter("inthub_connector_calls_total", "Connector calls that were not answered from a cache.",
                            {{"operation", operation_}, {"outcome", std::string(outcome)}});
  }
  Metrics& metrics_;
  std::string operation_;
  Counter& ok_;
  Counter& shared_;
  Histogram& seconds_;
};

/// One of the six operations: the work in flight, and its cache if it has one.
template <class T>
struct Operation {
  Operation(std::string_view operation_name, TaskScope& scope, Metrics& registry, CallCache<T>* used_cache)
      : name(operation_name),
        metrics(registry, operation_name),
        flights(scope, &flown_exception<T>),
        cache(used_cache) {}

  void forget(IntegrationId id) {
    // In this order: what is published from now on belongs to calls that began after this.
    flights.detach_if([id](const CallKey& key) { return key.integration == id; });
    if (cache != nullptr) cache->forget(id);
  }

  std::string_view name;
  CallMetrics metrics;
  Flights<T> flights;
  CallCache<T>* cache;
};

}  // namespace

struct ConnectorRuntime::Impl {
  using Entry = std::shared_ptr<const ConnectorRegistry::Entry>;
  template <class T>
  using Ask = std::function<Task<Result<T>>(Connector&, CallContext&)>;

  /// All that one piece of shared work needs; it outlives the caller that began it.
  template <class T>
  struct Work {
    Entry entry;
    CallTarget target;
    CallKey key;
    std::string trace_id;
    std::string credential_key;
    bool fresh = false;
    bool cached = false;
    bool observe_only = false;
    Ask<T> ask;
  };

  explicit Impl(Dependencies given)
      : dependencies(std::move(given)),
        keys(dependencies.random),
        settings(kSettingsCache, dependencies.clock),
        breaker(dependencies.clock),
        vendor_metrics(dependencies.metrics),
        environment{.http = dependencies.http,
                    .credentials = dependencies.credentials,
                    .breaker = breaker,
                    .clock = dependencies.clock,
                    .random = dependencies.random,
                    .metrics = vendor_metrics},
        test_cache("connection_test", kConnectionTestCache, dependencies.clock, dependencies.metrics),
        health_cache("health", kHealthCache, dependencies.clock, dependencies.metrics),
        discovery_cache("discovery", kDiscoveryCache, dependencies.clock, dependencies.metrics),
        resolution_cache("tag_resolution", kTagResolutionCache, dependencies.clock, dependencies.metrics),
        tests("test_connection", scope, dependencies.metrics, &test_cache),
        healths("get_health", scope, dependencies.metrics, &health_cache),
        discoveries("discover_resources", scope, dependencies.metrics, &discovery_cache),
        resolutions("resolve_tag_to_digest", scope, dependencies.metrics, &resolution_cache),
        manifests("fetch_manifest", scope, dependencies.metrics, nullptr),
        verifications("verify_digest", scope, dependencies.metrics, nullptr),
        thread([this] { context.run(); }) {}

  ~Impl() {
    asio::co_spawn(context.get_executor(), scope.cancel_and_join(),
                   [this](const std::exception_ptr&) { guard.reset(); });
    thread.join();
  }

  Result<std::shared_ptr<const CallSettings>> settings_for(const CallTarget& target) {
    const bool draft = target.id.is_nil();
    const CallKey key = CallKeys::plain(target.id, target.revision);
    if (!draft) {
      if (auto found = settings.find(key)) return std::move(found.value);
    }
    Result<CallSettings> read = read_call_settings(target.tenant, *target.config);
    if (!read) return fail(std::move(read).error());
    auto made = std::make_shared<const CallSettings>(*std::move(read));
    if (!draft) settings.put(key, made);
    return made;
  }

  Result<Authenticator*> authenticator_for(const ConnectorRegistry::Entry& entry) const {
    if (entry.authenticator.empty()) return nullptr;
    const auto found = dependencies.authenticators.find(entry.authenticator);
    if (found != dependencies.authenticators.end()) return found->second.get();
    return fail(Error(ErrorCode::internal,
                      fmt::format("the type {} names the authenticator \"{}\", which this hub does not have",
                                  entry.type.id, entry.authenticator))
                    .with_reason("connector.no_authenticator"));
  }

  static bool is_anonymous(const CallTarget& target) {
    return !target.draft_secret && (target.credential_ref.empty() || target.credential_ref == "authref://none");
  }

  template <class T>
  Task<Flown<T>> perform(Operation<T>& operation, const Work<T>& work, std::shared_ptr<FlightProgress> progress) {
    // An identical call may have ended between the caller's look into the cache and the start of this one.
    if (work.cached && !work.fresh) {
      if (auto found = operation.cache->find_again(work.key); found.value) {
        co_return Flown<T>{.result = std::move(found.value), .cacheable = false};
      }
    }
    const auto began = std::chrono::steady_clock::now();
    Flown<T> flown = co_await perform_now(operation, work, std::move(progress));
    operation.metrics.ended(flown.result ? nullptr : &flown.result.error(), std::chrono::steady_clock::now() - began);
    co_return flown;
  }

  template <class T>
  Task<Flown<T>> perform_now(Operation<T>&, const Work<T>& work, std::shared_ptr<FlightProgress> progress) {
    const CallTarget& target = work.target;
    const auto began = std::chrono::steady_clock::now();
    const auto conclude_with = [&](Result<T> result, const CallSecrets& secrets, const CallTrail& trail,
                                   bool cacheable) -> Flown<T> {
      if (!result) {
        Error error = secrets.clean(result.error());
        std::optional<T> answer =
            is_finding(error) ? as_answer(error, trail, static_cast<const T*>(nullptr)) : std::nullopt;
        if (!answer) return {.result = fail(std::move(error)), .cacheable = false};
        // That the breaker is open says nothing new about the vendor, and it ends by itself.
        cacheable = cacheable && error.reason() != "breaker.open";
        result = *std::move(answer);
      }
      const auto took = std::chrono::steady_clock::now() - began;
      finish(*result, secrets, dependencies.clock.now(), std::chrono::round<std::chrono::milliseconds>(took));
      return {.result = std::make_shared<const T>(*std::move(result)), .cacheable = cacheable};
    };

    const Result<Authenticator*> authenticator = authenticator_for(*work.entry);
    if (!authenticator) co_return Flown<T>{.result = fail(authenticator.error()), .cacheable = false};
    Result<std::shared_ptr<const CallSettings>> call_settings = settings_for(target);
    if (!call_settings) co_return conclude_with(fail(call_settings.error()), {}, {}, true);

    // Callers leave at their own deadlines, and the work with the last of them; this is only the bound that all share.
    const Deadline latest = began + kLongestCall;
    const Result<ConcurrencyLimit::Permit> permit = co_await limit.acquire({target.tenant, target.id}, latest);
    if (!permit) co_return Flown<T>{.result = fail(permit.error()), .cacheable = false};
    progress->mark_running();

    const bool tls = (*call_settings)->endpoint.scheme == "https";
    VendorHttpCall http(environment, {.target = target,
                                      .settings = *std::move(call_settings),
                                      .authenticator = *authenticator,
                                      .progress = progress,
                                      .credential_key = work.credential_key,
                                      .trace_id = work.trace_id,
                                      .observe_only = work.observe_only});
    CallContext call{.tenant = target.tenant,
                     .integration = target.id,
                     .revision = target.revision,
                     .config = *target.config,
                     .anonymous = is_anonymous(target),
                     .deadline = progress->deadline(),
                     .trace_id = work.trace_id,
                     .clock = dependencies.clock,
                     .http = http};
    Result<T> result = co_await work.ask(*work.entry->connector, call);
    const CallTrail trail{.failure = http.last_failure(),
                          .timings = http.last_timings(),
                          .in_authentication = http.failed_in_authentication(),
                          .tls = tls};
    co_return conclude_with(std::move(result), http.secrets(), trail, !http.was_cut_short());
  }

  template <class T>
  Task<Result<Answer<T>>> run(Operation<T>& operation, CallTarget target, CallOptions options, CallKey key,
                              bool cacheable, bool observe_only, Ask<T> ask) {
    Entry entry = dependencies.connectors.find(target.type);
    if (!entry) {
      co_return fail(Error(ErrorCode::unsupported,
                           fmt::format("no connector for integrations of type {} is present in this hub", target.type))
                         .with_reason("integration_type.unknown")
                         .with_field("/type")
                         .with_remedy("install or enable the plugin that brings this type"));
    }
    const bool draft = target.id.is_nil();
    std::string credential_key;
    if (draft) {
      const std::uint64_t number = next_draft.fetch_add(1);
      key = CallKeys::draft(number);
      credential_key = fmt::format("draft/{}", number);
    } else {
      credential_key = fmt::format("{}/{}/{}/{}", target.tenant.to_string(), target.id.to_string(), target.revision,
                                   target.credential_ref);
    }
    const bool cached = cacheable && !draft && operation.cache != nullptr;
    if (cached && !options.fresh) {
      if (auto found = operation.cache->find(key); found.value) {
        co_return Answer<T>{.value = std::move(found.value), .cached = true, .age = found.age};
      }
    }

    // Not the injected clock: this deadline sets timers, which the machine's clock drives.
    const Deadline deadline = std::min(options.deadline, std::chrono::steady_clock::now() + kLongestCall);
    auto work = std::make_shared<const Work<T>>(Work<T>{.entry = std::move(entry),
                                                        .target = std::move(target),
                                                        .key = key,
                                                        .trace_id = std::move(options.trace_id),
                                                        .credential_key = std::move(credential_key),
                                                        .fresh = options.fresh,
                                                        .cached = cached,
                                                        .observe_only = observe_only,
                                                        .ask = std::move(ask)});
    typename Flights<T>::Call call;
    call.key = key;
    call.deadline = deadline;
    call.fresh = options.fresh;
    call.work = [this, &operation, work](std::shared_ptr<FlightProgress> progress) {
      return perform(operation, *work, std::move(progress));
    };
    if (cached) {
      call.publish = [&operation, key](const Flown<T>& flown) {
        if (flown.result && flown.cacheable) operation.cache->put(key, *flown.result);
      };
    }
    auto outcome = co_await operation.flights.run(std::move(call));
    if (outcome.shared) operation.metrics.shared();
    if (!outcome.value) co_return fail(deadline_passed(outcome.was_running, operation.name));
    if (!outcome.value->result) co_return fail(std::move(outcome.value->result).error());
    co_return Answer<T>{.value = *std::move(outcome.value->result), .cached = false, .age = {}};
  }

  static Error deadline_passed(bool was_running, std::string_view operation) {
    if (was_running) {
      return Error(ErrorCode::deadline_exceeded, fmt::format("the deadline passed before {} had an answer", operation))
          .with_reason("runtime.deadline")
          .with_remedy("the remote system is slow: test the connection, or allow the call more time");
    }
    return Error(
               ErrorCode::deadline_exceeded,
               fmt::format("the deadline passed while {} waited for other calls of this integration to end", operation))
        .with_reason("runtime.no_free_slot")
        .with_remedy("the remote system answers slowly or is asked too often: test the connection, ask less often");
  }

  // Torn down from the bottom to the top, after the destructor has joined the thread.
  Dependencies dependencies;
  asio::io_context context{1};
  std::optional<asio::executor_work_guard<IoExecutor>> guard{asio::make_work_guard(context)};
  TaskScope scope{context};
  CallKeys keys;
  BoundedCache<CallKey, CallSettings> settings;
  CircuitBreaker breaker;
  ConcurrencyLimit limit;
  VendorMetrics vendor_metrics;
  VendorHttpCall::Environment environment;
  std::atomic<std::uint64_t> next_draft{1};
  CallCache<ConnectionTest> test_cache;
  CallCache<HealthReport> health_cache;
  CallCache<ResourceList> discovery_cache;
  CallCache<ResolvedDigest> resolution_cache;
  Operation<ConnectionTest> tests;
  Operation<HealthReport> healths;
  Operation<ResourceList> discoveries;
  Operation<ResolvedDigest> resolutions;
  Operation<Manifest> manifests;
  Operation<Verification> verifications;
  std::thread thread;  // last: everything above exists before it runs
};

ConnectorRuntime::ConnectorRuntime(Dependencies dependencies)
    : impl_(std::make_unique<Impl>(std::move(dependencies))) {}
ConnectorRuntime::~ConnectorRuntime() = default;

// The lambdas below are not coroutines: they call one, whose reference parameters live in the shared Work, or in the
// call.

Task<Result<Answer<ConnectionTest>>> ConnectorRuntime::test_connection(CallTarget target, CallOptions options) {
  const CallKey key = CallKeys::plain(target.id, target.revision);
  return impl_->run<ConnectionTest>(
      impl_->tests, std::move(target), std::move(options), key, true, true,
      [](Connector& connector, CallContext& call) { return connector.test_connection(call); });
}

Task<Result<Answer<HealthReport>>> ConnectorRuntime::get_health(CallTarget target, CallOptions options) {
  const CallKey key = CallKeys::plain(target.id, target.revision);
  const bool observe_only = options.fresh;
  return impl_->run<HealthReport>(impl_->healths, std::move(target), std::move(options), key, true, observe_only,
                                  [](Connector& connector, CallContext& call) { return connector.get_health(call); });
}

Task<Result<Answer<ResourceList>>> ConnectorRuntime::discover_resources(CallTarget target, DiscoverRequest request,
                                                                        CallOptions options) {
  const CallKey key = impl_->keys.of(target.id, target.revision, request);
  return impl_->run<ResourceList>(impl_->discoveries, std::move(target), std::move(options), key, true, false,
                                  [request = std::move(request)](Connector& connector, CallContext& call) {
                                    return connector.discover_resources(call, request);
                                  });
}

Task<Result<Answer<ResolvedDigest>>> ConnectorRuntime::resolve_tag_to_digest(CallTarget target, ResolveRequest request,
                                                                             CallOptions options) {
  const CallKey key = impl_->keys.of(target.id, target.revision, request);
  const bool names_a_digest = request.image_ref.find('@') != std::string::npos;
  return impl_->run<ResolvedDigest>(impl_->resolutions, std::move(target), std::move(options), key, !names_a_digest,
                                    false, [request = std::move(request)](Connector& connector, CallContext& call) {
                                      return connector.resolve_tag_to_digest(call, request);
                                    });
}

Task<Result<Answer<Manifest>>> ConnectorRuntime::fetch_manifest(CallTarget target, ManifestRequest request,
                                                                CallOptions options) {
  const CallKey key = impl_->keys.of(target.id, target.revision, request);
  return impl_->run<Manifest>(impl_->manifests, std::move(target), std::move(options), key, false, false,
                              [request = std::move(request)](Connector& connector, CallContext& call) {
                                return connector.fetch_manifest(call, request);
                              });
}

Task<Result<Answer<Verification>>> ConnectorRuntime::verify_digest(CallTarget target, VerifyRequest request,
                                                                   CallOptions options) {
  const CallKey key = impl_->keys.of(target.id, target.revision, request);
  return impl_->run<Verification>(impl_->verifications, std::move(target), std::move(options), key, false, false,
                                  [request = std::move(request)](Connector& connector, CallContext& call) {
                                    return connector.verify_digest(call, request);
                                  });
}

std::shared_ptr<const ResolvedDigest> ConnectorRuntime::cached_resolution(IntegrationId id, std::int64_t revision,
                                                                          const ResolveRequest& request,
                                                                          std::chrono::seconds& age) const {
  if (request.image_ref.find('@') != std::string::npos) return nullptr;
  auto hit = impl_->resolution_cache.find(impl_->keys.of(id, revision, request));
  age = hit.age;
  return std::move(hit.value);
}

void ConnectorRuntime::forget(IntegrationId id) {
  impl_->tests.forget(id);
  impl_->healths.forget(id);
  impl_->discoveries.forget(id);
  impl_->resolutions.forget(id);
  impl_->manifests.forget(id);
  impl_->verifications.forget(id);
  impl_->settings.erase_if([id](const CallKey& key, const CallSettings&) { return key.integration == id; });
  impl_->breaker.forget(id);
  for (const auto& [name, authenticator] : impl_->dependencies.authenticators) authenticator->forget(id);
}

Task<void> ConnectorRuntime::stop() {
  return impl_->scope.cancel_and_join();
}

}  // namespace inthub
