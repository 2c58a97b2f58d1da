#include "connectors/connector.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "connectors/vendor_http.h"

namespace inthub {
namespace {

constexpr std::array<std::string_view, 6> kStepNames{"dns", "tcp", "tls", "http", "authentication", "capability"};
constexpr std::size_t kTransportSteps = 4;

std::unexpected<Error> not_offered(std::string_view operation) {
  return fail(Error(ErrorCode::unsupported, fmt::format("this integration type does not offer {}", operation))
                  .with_reason("operation.unsupported")
                  .with_detail("operation", std::string(operation))
                  .with_remedy("use one of the capabilities and operations that GET /api/v1/integration-types/{type} "
                               "lists for the integration's type"));
}

TestStep passed(std::string_view name, std::string message, std::chrono::microseconds duration) {
  return {.name = std::string(name),
          .status = StepStatus::pass,
          .code = "ok",
          .message = std::move(message),
          .duration = std::max(duration, std::chrono::microseconds{0}),
          .field = {},
          .remedy = {}};
}

TestStep skipped(std::string_view name, std::string message) {
  return {.name = std::string(name),
          .status = StepStatus::skip,
          .code = "skipped",
          .message = std::move(message),
          .duration = {},
          .field = {},
          .remedy = {}};
}

/// When each step ended. A stage that did not happen ends when the one before it did.
struct Ends {
  std::chrono::microseconds dns, tcp, tls, http;

  explicit Ends(const HttpTimings& timings)
      : dns(timings.dns),
        tcp(std::max(timings.tcp, dns)),
        tls(std::max(timings.tls, tcp)),
        http(std::max(timings.total, tls)) {}
};

TestStep passed_step(std::size_t index, const HttpTimings& timings, bool tls) {
  const Ends ends(timings);
  const bool reused = timings.tcp == std::chrono::microseconds{0};
  switch (index) {
    case 0:
      return passed("dns",
                    reused || timings.dns == timings.dns.zero() ? "no lookup was needed" : "the name was resolved",
                    ends.dns);
    case 1:
      return passed("tcp", reused ? "an open connection was used" : "connected", ends.tcp - ends.dns);
    case 2:
      if (!tls) return skipped("tls", "the endpoint is plain http");
      return passed("tls",
                    timings.tls == timings.tls.zero() ? "an open TLS session was used" : "the certificate was verified",
                    ends.tls - ends.tcp);
    default:
      return passed("http", "the server answered", ends.http - ends.tls);
  }
}

std::size_t step_of(HttpStage stage) {
  switch (stage) {
    case HttpStage::dns:
      return 0;
    case HttpStage::tcp:
    case HttpStage::proxy:  // the way to the endpoint does not stand: there is no connection to it yet
      return 1;
    case HttpStage::tls:
      return 2;
    case HttpStage::http:
      break;
  }
  return 3;
}

}  // namespace

std::string_view name_of(StepStatus status) {
  switch (status) {
    case StepStatus::pass:
      return "pass";
    case StepStatus::warn:
      return "warn";
    case StepStatus::fail:
      return "fail";
    case StepStatus::skip:
      break;
  }
  return "skip";
}

std::string_view name_of(HealthStatus status) {
  switch (status) {
    case HealthStatus::healthy:
      return "healthy";
    case HealthStatus::degraded:
      return "degraded";
    case HealthStatus::unhealthy:
      return "unhealthy";
    case HealthStatus::unknown:
      break;
  }
  return "unknown";
}

std::optional<HealthStatus> parse_health_status(std::string_view text) {
  for (const auto status :
       {HealthStatus::unknown, HealthStatus::healthy, HealthStatus::degraded, HealthStatus::unhealthy}) {
    if (name_of(status) == text) return status;
  }
  return std::nullopt;
}

Task<Result<ConnectionTest>> Connector::test_connection(CallContext& /*call*/) {
  co_return not_offered("test_connection");
}
Task<Result<HealthReport>> Connector::get_health(CallContext& /*call*/) {
  co_return not_offered("get_health");
}
Task<Result<ResourceList>> Connector::discover_resources(CallContext& /*call*/, const DiscoverRequest& /*request*/) {
  co_return not_offered("discover_resources");
}
Task<Result<ResourceList>> Connector::list_repositories(CallContext& /*call*/, const DiscoverRequest& /*request*/) {
  co_return not_offered("list_repositories");
}
Task<Result<ResourceList>> Connector::list_branches(CallContext& /*call*/, const DiscoverRequest& /*request*/) {
  co_return not_offered("list_branches");
}
Task<Result<ResourceList>> Connector::list_tags(CallContext& /*call*/, const DiscoverRequest& /*request*/) {
  co_return not_offered("list_tags");
}
Task<Result<ResolvedDigest>> Connector::resolve_tag_to_digest(CallContext& /*call*/,
                                                              const ResolveRequest& /*request*/) {
  co_return not_offered("resolve_tag_to_digest");
}
Task<Result<Manifest>> Connector::fetch_manifest(CallContext& /*call*/, const ManifestRequest& /*request*/) {
  co_return not_offered("fetch_manifest");
}
Task<Result<Verification>> Connector::verify_digest(CallContext& /*call*/, const VerifyRequest& /*request*/) {
  co_return not_offered("verify_digest");
}
Task<Result<std::vector<SecretRef>>> Connector::get_secrets_ref(CallContext& /*call*/,
                                                                const SecretsRequest& /*request*/) {
  co_return not_offered("get_secrets_ref");
}
Task<Result<SecretPtr>> Connector::fetch_secret(CallContext& /*call*/, const FetchSecretRequest& /*request*/) {
  co_return not_offered("fetch_secret");
}
Task<Result<void>> Connector::execute_step(CallContext& /*call*/, const StepRequest& /*request*/, StepSink& /*sink*/) {
  co_return not_offered("execute_step");
}
Task<Result<void>> Connector::cancel_step(CallContext& /*call*/, const std::string& /*execution_id*/) {
  co_return not_offered("cancel_step");
}

std::vector<TestStep> transport_steps(const HttpTimings& timings, bool tls) {
  std::vector<TestStep> steps;
  steps.reserve(kTransportSteps);
  for (std::size_t i = 0; i < kTransportSteps; ++i) steps.push_back(passed_step(i, timings, tls));
  return steps;
}

std::vector<TestStep> transport_steps(const HttpFailure& failure, bool tls) {
  const std::size_t failed = step_of(failure.stage);
  std::vector<TestStep> steps;
  for (std::size_t i = 0; i < kTransportSteps; ++i) {
    if (i < failed) {
      steps.push_back(passed_step(i, failure.timings, tls));
      continue;
    }
    if (i > failed) {
      steps.push_back(skipped(kStepNames.at(i), fmt::format("not reached: {} failed", kStepNames.at(failed))));
      continue;
    }
    const Ends ends(failure.timings);
    const std::array<std::chrono::microseconds, kTransportSteps> began{{{}, ends.dns, ends.tcp, ends.tls}};
    steps.push_back({.name = std::string(kStepNames.at(i)),
                     .status = StepStatus::fail,
                     .code = std::string(failure.error.reason()),
                     .message = failure.error.message(),
                     .duration = std::max(ends.http - began.at(i), std::chrono::microseconds{0}),
                     .field = failure.error.field(),
                     .remedy = failure.error.remedy()});
  }
  return steps;
}

void conclude(ConnectionTest& test) {
  for (const std::string_view name : kStepNames) {
    const bool present = std::ranges::any_of(test.steps, [name](const TestStep& step) { return step.name == name; });
    if (!present) test.steps.push_back(skipped(name, "not reached"));
  }
  const auto failed =
      std::ranges::find_if(test.steps, [](const TestStep& step) { return step.status == StepStatus::fail; });
  test.success = failed == test.steps.end();
  test.error_message = test.success ? std::string() : failed->message;
  std::chrono::microseconds sum{};
  for (const TestStep& step : test.steps) sum += step.duration;
  test.latency = std::chrono::round<std::chrono::milliseconds>(sum);
}

}  // namespace inthub
