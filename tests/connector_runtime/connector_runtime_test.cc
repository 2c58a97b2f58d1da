#include "connector_runtime/connector_runtime.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "runtime_fixture.h"
#include "support/peer_server.h"

namespace inthub {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing_support::ContextThread;
using testing_support::http_response;
using testing_support::PeerRequest;
using testing_support::PeerServer;
using testing_support::was_cancelled;
namespace scripts = testing_support::scripts;

const char* const kEndpoint = "http://127.0.0.1:9";  // for connectors that send nothing

ResolveRequest image(std::string ref, std::string platform = "") {
  return {.image_ref = std::move(ref), .platform = std::move(platform), .strict = false};
}
ResolvedDigest digest_of(std::string digest) {
  ResolvedDigest resolved;
  resolved.digest = std::move(digest);
  return resolved;
}
HealthReport health_of(HealthStatus status, std::string code) {
  HealthReport report;
  report.status = status;
  report.code = std::move(code);
  return report;
}
/// Asks for "/" and answers `when_answered`, or the error.
template <class T>
Task<Result<T>> asking(CallContext& call, T when_answered) {
  VendorRequest request;
  request.target = "/";
  const auto response = co_await call.http.send(std::move(request));
  if (!response) co_return fail(response.error());
  co_return when_answered;
}
template <class T>
Task<Result<T>> counted(std::atomic<int>& calls, Result<T> answer) {
  ++calls;
  co_return answer;
}
template <class T>
Task<Result<T>> throwing() {
  throw std::logic_error("a bug");
  co_return T{};
}
/// Answers once the gate has been opened.
Task<Result<ResolvedDigest>> gated(std::atomic<int>& calls, OneShot<bool> gate) {
  ++calls;
  co_await gate.wait(Deadline::max());
  co_return digest_of("sha256:gated");
}
Task<void> until_equal(const std::atomic<int>& value, int wanted) {
  while (value != wanted) co_await yield_to_context();
}

class ConnectorRuntimeTest : public testing_support::RuntimeFixture {
 protected:
  Result<Answer<ResolvedDigest>> resolve(CallTarget to, std::string name, CallOptions options = {}) {
    return thread_.run(runtime_->resolve_tag_to_digest(std::move(to), image(std::move(name)), std::move(options)));
  }
  void answer_resolve(std::string digest) {
    connector_->on_resolve = [this, digest = std::move(digest)](CallContext&) {
      return counted<ResolvedDigest>(calls_, digest_of(digest));
    };
  }
  static CallOptions fresh() {
    CallOptions options;
    options.fresh = true;
    return options;
  }

  std::atomic<int> calls_{0};
};

// --- caches

TEST_F(ConnectorRuntimeTest, AResolutionIsCachedForAnHourAndSaysItsAge) {
  answer_resolve("sha256:one");
  const auto first = resolve(target(kEndpoint), "app:v1");
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_FALSE(first->cached);
  clock_.advance(minutes(59));
  const auto second = resolve(target(kEndpoint), "app:v1");
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->cached);
  EXPECT_EQ(second->age, minutes(59));
  EXPECT_EQ(second->value->digest, "sha256:one");
  clock_.advance(minutes(1));
  EXPECT_FALSE(resolve(target(kEndpoint), "app:v1")->cached);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ConnectorRuntimeTest, TheHotPathFindsWhatACallCached) {
  answer_resolve("sha256:one");
  const CallTarget to = target(kEndpoint);
  seconds age{-1};
  EXPECT_EQ(runtime_->cached_resolution(to.id, 1, image("app:v1"), age), nullptr);
  ASSERT_TRUE(resolve(to, "app:v1"));
  clock_.advance(seconds(5));
  const auto hit = runtime_->cached_resolution(to.id, 1, image("app:v1"), age);
  ASSERT_NE(hit, nullptr);
  EXPECT_EQ(hit->digest, "sha256:one");
  EXPECT_EQ(age, seconds(5));
  EXPECT_EQ(runtime_->cached_resolution(to.id, 2, image("app:v1"), age), nullptr);
  EXPECT_EQ(runtime_->cached_resolution(to.id, 1, image("app:v1", "linux/arm64"), age), nullptr);
}

TEST_F(ConnectorRuntimeTest, FreshBypassesTheCacheAndRefreshesIt) {
  answer_resolve("sha256:old");
  ASSERT_TRUE(resolve(target(kEndpoint), "app:v1"));
  answer_resolve("sha256:new");
  const auto renewed = resolve(target(kEndpoint), "app:v1", fresh());
  EXPECT_FALSE(renewed->cached);
  EXPECT_EQ(renewed->value->digest, "sha256:new");
  const auto after = resolve(target(kEndpoint), "app:v1");
  EXPECT_TRUE(after->cached);
  EXPECT_EQ(after->value->digest, "sha256:new");
}

TEST_F(ConnectorRuntimeTest, AReferenceWithADigestIsNotCached) {
  answer_resolve("sha256:one");
  ASSERT_TRUE(resolve(target(kEndpoint), "app@sha256:one"));
  EXPECT_FALSE(resolve(target(kEndpoint), "app@sha256:one")->cached);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ConnectorRuntimeTest, AFailureIsNotCached) {
  connector_->on_resolve = [this](CallContext&) {
    return counted<ResolvedDigest>(calls_, fail(ErrorCode::not_found, "no such tag"));
  };
  EXPECT_FALSE(resolve(target(kEndpoint), "app:v1"));
  EXPECT_FALSE(resolve(target(kEndpoint), "app:v1"));
  EXPECT_EQ(calls_, 2);
}

TEST_F(ConnectorRuntimeTest, AChangedRevisionStartsCold) {
  answer_resolve("sha256:one");
  ASSERT_TRUE(resolve(target(kEndpoint), "app:v1"));
  CallTarget changed = target(kEndpoint);
  changed.revision = 2;
  EXPECT_FALSE(resolve(changed, "app:v1")->cached);
}

TEST_F(ConnectorRuntimeTest, ForgettingAnIntegrationDropsItsAnswersAndTokens) {
  answer_resolve("sha256:one");
  ASSERT_TRUE(resolve(target(kEndpoint), "app:v1"));
  runtime_->forget(target(kEndpoint).id);
  EXPECT_FALSE(resolve(target(kEndpoint), "app:v1")->cached);
  EXPECT_EQ(authenticator_->forgotten, 1);
}

TEST_F(ConnectorRuntimeTest, AnAnswerThatWasUnderWayWhenItsIntegrationWasForgottenIsNotCached) {
  const OneShot<bool> gate;
  connector_->on_resolve = [&](CallContext&) { return gated(calls_, gate); };
  auto call = thread_.start(runtime_->resolve_tag_to_digest(target(kEndpoint), image("app:v1"), {}));
  thread_.run(until_equal(calls_, 1));
  runtime_->forget(target(kEndpoint).id);
  gate.set(true);
  ASSERT_TRUE(call.result.get());
  seconds age{};
  EXPECT_EQ(runtime_->cached_resolution(target(kEndpoint).id, 1, image("app:v1"), age), nullptr);
}

TEST_F(ConnectorRuntimeTest, ADraftIsNeverCachedNorShared) {
  connector_->on_test = [this](CallContext&) {
    ConnectionTest test;
    conclude(test);
    return counted<ConnectionTest>(calls_, std::move(test));
  };
  CallTarget draft = target(kEndpoint);
  draft.id = IntegrationId();
  EXPECT_FALSE(thread_.run(runtime_->test_connection(draft, {}))->cached);
  EXPECT_FALSE(thread_.run(runtime_->test_connection(draft, {}))->cached);
  EXPECT_EQ(calls_, 2);
}

TEST_F(ConnectorRuntimeTest, HealthIsKeptWhileItIsAskedForButNotBeyondSixTtls) {
  connector_->on_health = [this](CallContext&) {
    return counted<HealthReport>(calls_, health_of(HealthStatus::healthy, "ok"));
  };
  ASSERT_FALSE(thread_.run(runtime_->get_health(target(kEndpoint), {}))->cached);
  for (int minute = 4; minute < 30; minute += 4) {
    clock_.advance(minutes(4));
    EXPECT_TRUE(thread_.run(runtime_->get_health(target(kEndpoint), {}))->cached) << minute;
  }
  clock_.advance(minutes(2));
  EXPECT_FALSE(thread_.run(runtime_->get_health(target(kEndpoint), {}))->cached) << "30 minutes old";
}

// --- sharing, cancelling, limiting

TEST_F(ConnectorRuntimeTest, AHundredIdenticalCallsFromTwoThreadsMakeOneRequest) {
  PeerServer peer([](testing_support::PeerConnection& connection) {
    while (connection.read_request()) {
      connection.wait_until_released();
      connection.send(http_response(200, ""));
    }
  });
  connector_->on_resolve = [](CallContext& call) { return asking(call, digest_of("sha256:one")); };
  ContextThread other;
  std::vector<ContextThread::Started<Result<Answer<ResolvedDigest>>>> calls;
  calls.reserve(100);
  for (int i = 0; i < 100; ++i) {
    calls.push_back(
        (i % 2 == 0 ? thread_ : other).start(runtime_->resolve_tag_to_digest(target(peer.url()), image("app:v1"), {})));
  }
  ASSERT_TRUE(peer.wait_for_requests(1));
  peer.release();
  for (auto& call : calls) {
    const auto answer = call.result.get();
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->value->digest, "sha256:one");
  }
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(ConnectorRuntimeTest, CancellingTheLastCallerClosesTheConnectionToTheVendor) {
  PeerServer peer(scripts::hang_after(""));
  connector_->on_resolve = [](CallContext& call) { return asking(call, ResolvedDigest{}); };
  auto call = thread_.start(runtime_->resolve_tag_to_digest(target(peer.url()), image("app:v1"), {}));
  ASSERT_TRUE(peer.wait_for_requests(1));
  call.cancel();
  EXPECT_TRUE(was_cancelled(call));
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(ConnectorRuntimeTest, ACallThatIgnoresItsDeadlineIsLeftByItsCaller) {
  const OneShot<bool> never;
  connector_->on_resolve = [&](CallContext&) { return gated(calls_, never); };
  CallOptions options;
  options.deadline = std::chrono::steady_clock::now();
  const auto answer = resolve(target(kEndpoint), "app:v1", options);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::deadline_exceeded);
}

TEST_F(ConnectorRuntimeTest, SixteenCallsOfAnIntegrationRunAtOnce) {
  // A OneShot has one waiter, so each call gets its own; none is ever opened.
  connector_->on_resolve = [&](CallContext&) { return gated(calls_, OneShot<bool>()); };
  std::vector<ContextThread::Started<Result<Answer<ResolvedDigest>>>> calls;
  calls.reserve(16 + 256);
  for (int i = 0; i < 16 + 256; ++i) {
    calls.push_back(
        thread_.start(runtime_->resolve_tag_to_digest(target(kEndpoint), image("app:" + std::to_string(i)), {})));
  }
  const auto refused = resolve(target(kEndpoint), "app:one-too-many");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "runtime.too_many_calls");
  EXPECT_EQ(calls_, 16);
  for (auto& call : calls) call.cancel();
  for (auto& call : calls) EXPECT_TRUE(was_cancelled(call));
}

// --- failures

TEST_F(ConnectorRuntimeTest, AnUnknownTypeSaysThatItsPluginIsMissing) {
  CallTarget to = target(kEndpoint);
  to.type = "ci.nowhere";
  const auto answer = resolve(to, "app:v1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::unsupported);
  EXPECT_NE(answer.error().message().find("ci.nowhere"), std::string::npos);
  EXPECT_NE(answer.error().remedy().find("plugin"), std::string::npos);
}

TEST_F(ConnectorRuntimeTest, AConnectorThatThrowsIsAnInternalErrorAndNobodyElseIsAffected) {
  connector_->on_discover = [](CallContext&) { return throwing<ResourceList>(); };
  const auto broken = thread_.run(
      runtime_->discover_resources(target(kEndpoint), {.resource_type = "repos", .parent_id = "", .query = ""}, {}));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), ErrorCode::internal);
  EXPECT_EQ(broken.error().message().find("a bug"), std::string::npos) << "what() is for the log";
  answer_resolve("sha256:one");
  EXPECT_TRUE(resolve(target(kEndpoint), "app:v1"));
}

TEST_F(ConnectorRuntimeTest, AnUnreachableSystemIsAnUnhealthyReport) {
  std::string url;
  {
    const PeerServer gone(scripts::close_at_once());
    url = gone.url();
  }
  connector_->on_health = [](CallContext& call) { return asking(call, HealthReport{}); };
  const auto answer = thread_.run(runtime_->get_health(target(url), {}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value->status, HealthStatus::unhealthy);
  EXPECT_EQ(answer->value->code, "connectivity.refused");
  EXPECT_FALSE(answer->value->message.empty());
  EXPECT_FALSE(answer->value->remedy.empty());
  EXPECT_EQ(answer->value->checked_at, clock_.now());
}

TEST_F(ConnectorRuntimeTest, ATestThatCannotConnectFailsAtTheStepThatFailed) {
  std::string url;
  {
    const PeerServer gone(scripts::close_at_once());
    url = gone.url();
  }
  connector_->on_test = [](CallContext& call) { return asking(call, ConnectionTest{}); };
  const auto answer = thread_.run(runtime_->test_connection(target(url), {}));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->value->success);
  ASSERT_EQ(answer->value->steps.size(), 6U);
  EXPECT_EQ(answer->value->steps.at(1).name, "tcp");
  EXPECT_EQ(answer->value->steps.at(1).status, StepStatus::fail);
  EXPECT_EQ(answer->value->steps.at(1).code, "connectivity.refused");
  EXPECT_EQ(answer->value->steps.at(3).status, StepStatus::skip);
  EXPECT_EQ(answer->value->error_message, answer->value->steps.at(1).message);
}

TEST_F(ConnectorRuntimeTest, ATestWhoseCredentialCannotBeResolvedFailsAtAuthentication) {
  resolver_.secrets.clear();
  connector_->on_test = [](CallContext& call) { return asking(call, ConnectionTest{}); };
  const auto answer = thread_.run(runtime_->test_connection(target(kEndpoint), {}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value->steps.at(4).name, "authentication");
  EXPECT_EQ(answer->value->steps.at(4).status, StepStatus::fail);
  EXPECT_EQ(answer->value->steps.at(4).field, "/credentialRef");
}

TEST_F(ConnectorRuntimeTest, WhatTheConnectorQuotesInATestIsRedacted) {
  struct Ask {
    static Task<Result<ConnectionTest>> run(CallContext& call) {
      VendorRequest request;
      request.target = "/";
      const auto response = co_await call.http.send(std::move(request));
      ConnectionTest test;
      test.details["said"] = response ? response->body : "";
      TestStep step;
      step.name = "authentication";
      step.status = StepStatus::fail;
      step.message = test.details["said"];
      test.steps.push_back(step);
      conclude(test);
      co_return test;
    }
  };
  PeerServer peer(scripts::answer(
      [](const PeerRequest& request) { return http_response(401, "you sent " + request.header("Authorization")); }));
  connector_->on_test = &Ask::run;
  const auto answer = thread_.run(runtime_->test_connection(target(peer.url()), {}));
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->value->error_message.find("you sent"), std::string::npos);
  std::string everything = answer->value->error_message + answer->value->details.at("said");
  for (const TestStep& step : answer->value->steps) everything += step.message;
  EXPECT_EQ(everything.find(kCanary), std::string::npos) << everything;
}

TEST_F(ConnectorRuntimeTest, TestsAndFreshHealthChecksPassAnOpenBreaker) {
  PeerServer peer(scripts::answer([](const PeerRequest&) { return http_response(500, ""); }));
  VendorRequest post = get("/");
  post.method = "POST";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(send(target(peer.url()), post));
  connector_->on_health = [](CallContext& call) {
    return asking(call, health_of(HealthStatus::unhealthy, "vendor.server_error"));
  };
  const auto guarded = thread_.run(runtime_->get_health(target(peer.url()), {}));
  ASSERT_TRUE(guarded);
  EXPECT_EQ(guarded->value->code, "breaker.open");
  const auto truth = thread_.run(runtime_->get_health(target(peer.url()), fresh()));
  ASSERT_TRUE(truth);
  EXPECT_EQ(truth->value->code, "vendor.server_error");
  runtime_->forget(target(kEndpoint).id);
  EXPECT_EQ(thread_.run(runtime_->get_health(target(peer.url()), {}))->value->code, "vendor.server_error")
      << "a forgotten integration has no open breaker";
}

// --- shutdown

TEST_F(ConnectorRuntimeTest, StoppingAnswersWhoWaitsAndRefusesWhoComesLater) {
  const OneShot<bool> never;
  connector_->on_resolve = [&](CallContext&) { return gated(calls_, never); };
  auto waiting = thread_.start(runtime_->resolve_tag_to_digest(target(kEndpoint), image("app:v1"), {}));
  thread_.run(until_equal(calls_, 1));
  thread_.run(runtime_->stop());
  const auto answer = waiting.result.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(answer.error().reason(), "runtime.stopping");
  EXPECT_EQ(resolve(target(kEndpoint), "app:v2").error().reason(), "runtime.stopping");
  thread_.run(runtime_->stop());
}

}  // namespace
}  // namespace inthub
