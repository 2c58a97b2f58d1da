#include "connector_runtime/vendor_http_call.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "connector_runtime/retry.h"
#include "foundation/encoding.h"
#include "runtime_fixture.h"
#include "support/peer_server.h"
#include "support/test_ca.h"

namespace inthub {
namespace {

using testing_support::http_response;
using testing_support::PeerRequest;
using testing_support::PeerServer;
using testing_support::TestCa;
namespace scripts = testing_support::scripts;

using VendorHttpTest = testing_support::RuntimeFixture;

PeerServer::Options serving(testing_support::Identity identity) {
  PeerServer::Options options;
  options.tls = std::move(identity);
  return options;
}

/// Answers with these, one after the other, and with the last one for ever.
testing_support::Script in_turn(std::vector<std::string> answers) {
  struct Turns {
    std::mutex mutex;
    std::size_t next = 0;
    std::vector<std::string> answers;
  };
  auto turns = std::make_shared<Turns>();
  turns->answers = std::move(answers);
  return scripts::answer([turns](const PeerRequest&) {
    const std::scoped_lock lock(turns->mutex);
    const std::size_t turn = std::min(turns->next++, turns->answers.size() - 1);
    return turns->answers.at(turn);
  });
}
testing_support::Script always(std::string answer) {
  return in_turn({std::move(answer)});
}

// --- what a request looks like

TEST_F(VendorHttpTest, TheRequestCarriesCredentialCustomHeadersUserAgentAndTrace) {
  PeerServer peer(always(http_response(200, "{}")));
  CallTarget to = target(peer.url("/api/"), {{"customHeaders", {{"X-Team", "release"}, {"PRIVATE-TOKEN", "no"}}}});
  CallOptions options;
  options.trace_id = "0af7651916cd43dd8448eb211c80319c";
  VendorRequest request = get("/things?page=2");
  request.headers.add("Accept", "application/json");
  const auto response = send(to, request, options);
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(response->authenticated);
  EXPECT_EQ(response->url.to_string(), peer.url("/api/things?page=2"));
  const PeerRequest seen = peer.requests().at(0);
  EXPECT_EQ(seen.target, "/api/things?page=2");
  EXPECT_EQ(seen.header("Authorization"), std::string("Bearer ") + kCanary);
  EXPECT_EQ(seen.header("X-Team"), "release");
  EXPECT_EQ(seen.header("PRIVATE-TOKEN"), "");
  EXPECT_EQ(seen.header("Accept"), "application/json");
  EXPECT_EQ(seen.header("User-Agent"), "inthub/" INTHUB_VERSION);
  EXPECT_TRUE(seen.header("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"))
      << seen.header("traceparent");
}

TEST_F(VendorHttpTest, AnAnonymousIntegrationSendsNoCredentialAndResolvesNone) {
  PeerServer peer(always(http_response(200, "{}")));
  CallTarget to = target(peer.url());
  to.credential_ref = "authref://none";
  const auto response = send(to, get("/"));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_FALSE(response->authenticated);
  EXPECT_EQ(peer.requests().at(0).header("Authorization"), "");
  EXPECT_EQ(resolver_.resolved, 0);
}

TEST_F(VendorHttpTest, ADraftsSecretWinsOverTheRef) {
  PeerServer peer(always(http_response(200, "{}")));
  CallTarget to = target(peer.url());
  to.id = IntegrationId();
  to.draft_secret = make_secret("drafted-secret");
  ASSERT_TRUE(send(to, get("/")));
  EXPECT_EQ(peer.requests().at(0).header("Authorization"), "Bearer drafted-secret");
  EXPECT_EQ(resolver_.resolved, 0);
}

TEST_F(VendorHttpTest, ATargetOfAnotherOriginIsRefusedBeforeAnythingIsSent) {
  PeerServer peer(always(http_response(200, "{}")));
  PeerServer other(always(http_response(200, "{}")));
  const auto response = send(target(peer.url()), get(other.url("/steal")));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.target_refused");
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(VendorHttpTest, ACredentialThatCannotBeResolvedIsAnErrorAndNotAnAnonymousRequest) {
  PeerServer peer(always(http_response(200, "{}")));
  resolver_.secrets.clear();
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "authentication.credential_unresolvable");
  EXPECT_TRUE(peer.requests().empty());
}

TEST_F(VendorHttpTest, TheCredentialIsNotSentOverPlainHttpBeyondLoopback) {
  const auto response = send(target("http://192.0.2.1:9"), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "authentication.plaintext_refused");
  EXPECT_EQ(response.error().field(), "/endpoint");
  EXPECT_FALSE(response.error().remedy().empty());
}

TEST_F(VendorHttpTest, ACustomCertificateAuthorityIsUsedAndAFailedHandshakeSendsNothing) {
  const TestCa ca;
  PeerServer peer(always(http_response(200, "{}")), serving(ca.issue()));
  ASSERT_TRUE(send(target(peer.url(), {{"caBundle", ca.certificate_pem()}}), get("/")));
  CallTarget distrusting = target(peer.url());
  distrusting.revision = 2;
  const auto refused = send(distrusting, get("/"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().reason().starts_with("tls.")) << refused.error().reason();
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(VendorHttpTest, MutualTlsUsesTheCredentialAsKeyAndNeverAsHeader) {
  const TestCa ca;
  const auto client = ca.issue({.names = {"client"}});
  PeerServer::Options options = serving(ca.issue());
  options.client_ca_pem = ca.certificate_pem();
  PeerServer peer(always(http_response(200, "{}")), options);
  resolver_.secrets[kRef] = client.key_pem;
  const auto response = send(
      target(peer.url(),
             {{"caBundle", ca.certificate_pem()}, {"authMode", "mtls"}, {"clientCertificate", client.certificate_pem}}),
      get("/"));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_TRUE(response->authenticated);
  EXPECT_EQ(peer.requests().at(0).header("Authorization"), "");
}

TEST_F(VendorHttpTest, ABodyBeyondTheRequestsBoundIsAnError) {
  PeerServer peer(always(http_response(200, std::string(2000, 'x'))));
  VendorRequest request = get("/");
  request.max_body_bytes = 1000;
  const auto response = send(target(peer.url()), request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.body_too_large");
}

// --- challenges

TEST_F(VendorHttpTest, AChallengeIsAnsweredAndTheRequestSentAgain) {
  PeerServer peer(in_turn({http_response(401, "no", "WWW-Authenticate: Bearer\r\n"), http_response(200, "yes")}));
  authenticator_->answer = "Bearer fresh-token";
  VendorRequest request = get("/");
  request.retry = false;  // a challenge is no retry
  const auto response = send(target(peer.url()), request);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(peer.requests().at(1).header("Authorization"), "Bearer fresh-token");
}

TEST_F(VendorHttpTest, AtMostTwoChallengesAreAnswered) {
  PeerServer peer(always(http_response(401, "no", "WWW-Authenticate: Bearer\r\n")));
  authenticator_->answer = "Bearer fresh-token";
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 401);
  EXPECT_EQ(authenticator_->challenged, 2);
  EXPECT_EQ(peer.requests().size(), 3U);
}

TEST_F(VendorHttpTest, A403WithoutAChallengeStands) {
  PeerServer peer(always(http_response(403, "no")));
  authenticator_->answer = "Bearer fresh-token";
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(authenticator_->challenged, 0);
}

TEST_F(VendorHttpTest, TheAuthenticatorsOwnRequestsGoOutWithoutTheCredential) {
  PeerServer peer(always(http_response(200, "{}")));
  PeerServer tokens(always(http_response(200, "{}")));
  authenticator_->token_url = tokens.url("/token");
  ASSERT_TRUE(send(target(peer.url(), {{"customHeaders", {{"X-Team", "release"}}}}), get("/")));
  EXPECT_EQ(tokens.requests().at(0).header("Authorization"), "");
  EXPECT_EQ(tokens.requests().at(0).header("X-Team"), "");
}

// --- retry

TEST_F(VendorHttpTest, AnIdempotentRequestIsTriedAgain) {
  PeerServer peer(in_turn({http_response(503, "a"), http_response(502, "b"), http_response(200, "c")}));
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "c");
  EXPECT_EQ(peer.requests().size(), 3U);
  EXPECT_EQ(metrics_.counter("inthub_vendor_retries_total", "", {{"type", "test.scripted"}}).value(), 2);
}

TEST_F(VendorHttpTest, TheLastAnswerIsReturnedWhenTheAttemptsAreUsedUp) {
  PeerServer peer(always(http_response(503, "still down", "Retry-After: 0\r\n")));
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->headers.find("Retry-After"), "0");
  EXPECT_EQ(peer.requests().size(), 3U);
}

TEST_F(VendorHttpTest, APostIsNotTriedAgain) {
  PeerServer peer(always(http_response(503, "down")));
  VendorRequest request = get("/");
  request.method = "POST";
  request.body = "{}";
  const auto response = send(target(peer.url()), request);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(VendorHttpTest, ARequestThatMustSeeTheFirstRefusalIsNotTriedAgain) {
  PeerServer peer(always(http_response(503, "down")));
  VendorRequest request = get("/");
  request.retry = false;
  ASSERT_TRUE(send(target(peer.url()), request));
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(VendorHttpTest, ARefusalThatWillNotPassIsNotTriedAgain) {
  PeerServer peer(always(http_response(404, "no")));
  ASSERT_TRUE(send(target(peer.url()), get("/")));
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(VendorHttpTest, ANetworkFaultIsTriedAgainAndTheErrorCountsTheAttempts) {
  PeerServer peer(scripts::close_at_once());
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().details().at("attempts"), "3");
  EXPECT_GE(peer.connections_accepted(), 3U);
}

TEST_F(VendorHttpTest, RetryAfterInBothFormsIsHonouredOrTheAnswerGoesToTheCaller) {
  // The fake clock's calendar stands still, so this date is always an hour ahead.
  const std::string later = "Tue, 13 Jan 2026 19:53:39 GMT";
  for (const std::string& wait : {std::string("3600"), later}) {
    PeerServer peer(always(http_response(429, "slow down", fmt::format("Retry-After: {}\r\n", wait))));
    const auto response = send(target(peer.url()), get("/"));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 429);
    EXPECT_EQ(peer.requests().size(), 1U) << wait << ": longer than any pause, so there is no second attempt";
    runtime_->forget(IntegrationId(Uuid{{1}}));  // the next peer has another port
  }
  for (const std::string& wait : {std::string("0"), std::string("Tue, 13 Jan 2026 18:53:39 GMT")}) {
    PeerServer peer(
        in_turn({http_response(429, "slow down", fmt::format("Retry-After: {}\r\n", wait)), http_response(200, "")}));
    const auto response = send(target(peer.url()), get("/"));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200) << wait;
    runtime_->forget(IntegrationId(Uuid{{1}}));
  }
}

// --- redirects

std::string redirect_to(const std::string& url) {
  return http_response(302, "moved", "Location: " + url + "\r\n");
}

TEST_F(VendorHttpTest, ARedirectWithinTheOriginKeepsTheCredential) {
  PeerServer peer(scripts::answer([](const PeerRequest& request) {
    return request.target == "/old" ? redirect_to("/new") : http_response(200, request.target);
  }));
  const auto response = send(target(peer.url()), get("/old"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "/new");
  EXPECT_EQ(response->url.path, "/new");
  EXPECT_EQ(peer.requests().at(1).header("Authorization"), std::string("Bearer ") + kCanary);
}

TEST_F(VendorHttpTest, ARedirectToAnotherHostCarriesNeitherCredentialNorCustomHeaders) {
  PeerServer storage(always(http_response(200, "blob")));
  PeerServer peer(always(redirect_to(storage.url("/signed?x=1"))));
  VendorRequest request = get("/blob");
  request.headers.add("Accept", "application/octet-stream");
  request.headers.add("X-Vendor-Key", "connector's own");
  CallOptions options;
  options.trace_id = "0af7651916cd43dd8448eb211c80319c";
  const auto response = send(target(peer.url(), {{"customHeaders", {{"X-Team", "release"}}}}), request, options);
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "blob");
  EXPECT_FALSE(response->authenticated);
  const PeerRequest seen = storage.requests().at(0);
  for (const auto* header : {"Authorization", "X-Team", "X-Vendor-Key", "traceparent"}) {
    EXPECT_EQ(seen.header(header), "") << header;
  }
  EXPECT_EQ(seen.text.find(kCanary), std::string::npos);
  EXPECT_EQ(seen.header("Accept"), "application/octet-stream");
}

TEST_F(VendorHttpTest, OnceAwayTheCredentialDoesNotComeBack) {
  // The other host must not be able to choose what is asked of the integration's own host with the credential.
  std::string back;
  PeerServer other(scripts::answer([&back](const PeerRequest&) { return redirect_to(back); }));
  PeerServer peer(scripts::answer([&](const PeerRequest& request) {
    return request.target == "/start" ? redirect_to(other.url("/x")) : http_response(200, "end");
  }));
  back = peer.url("/admin");
  ASSERT_TRUE(send(target(peer.url()), get("/start")));
  ASSERT_EQ(peer.requests().size(), 2U);
  EXPECT_EQ(peer.requests().at(1).target, "/admin");
  EXPECT_EQ(peer.requests().at(1).header("Authorization"), "");
}

TEST_F(VendorHttpTest, ALoopIsDetected) {
  PeerServer peer(
      scripts::answer([](const PeerRequest& request) { return redirect_to(request.target == "/a" ? "/b" : "/a"); }));
  const auto response = send(target(peer.url()), get("/a"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.redirect_loop");
  EXPECT_EQ(peer.requests().size(), 2U);
}

TEST_F(VendorHttpTest, AtMostFiveRedirectsAreFollowed) {
  PeerServer peer(scripts::answer([](const PeerRequest& request) { return redirect_to(request.target + "x"); }));
  const auto response = send(target(peer.url()), get("/a"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.redirect_loop");
  EXPECT_EQ(peer.requests().size(), 6U);
}

TEST_F(VendorHttpTest, APostIsNotRedirected) {
  PeerServer peer(always(redirect_to("/new")));
  VendorRequest request = get("/old");
  request.method = "POST";
  const auto response = send(target(peer.url()), request);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(peer.requests().size(), 1U);
}

TEST_F(VendorHttpTest, ARedirectFromHttpsToHttpIsRefused) {
  const TestCa ca;
  PeerServer plain(always(http_response(200, "{}")));
  PeerServer peer(always(redirect_to(plain.url("/"))), serving(ca.issue()));
  const auto response = send(target(peer.url(), {{"caBundle", ca.certificate_pem()}}), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.redirect_refused");
  EXPECT_TRUE(plain.requests().empty());
}

TEST_F(VendorHttpTest, ARedirectToTheMetadataServiceIsRefused) {
  PeerServer peer(always(redirect_to("http://169.254.169.254/latest/meta-data/")));
  const auto response = send(target(peer.url()), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "connectivity.address_denied");
}

// --- breaker

TEST_F(VendorHttpTest, TheBreakerOpensOnServerErrorsAndAProbeClosesItAgain) {
  PeerServer peer(in_turn({http_response(500, ""), http_response(500, ""), http_response(500, ""),
                           http_response(500, ""), http_response(500, ""), http_response(200, "")}));
  VendorRequest once = get("/");
  once.method = "POST";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(send(target(peer.url()), once));
  const auto refused = send(target(peer.url()), once);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason(), "breaker.open");
  EXPECT_TRUE(refused.error().retry_after());
  EXPECT_EQ(peer.requests().size(), 5U);
  clock_.advance(std::chrono::seconds(10));
  ASSERT_TRUE(send(target(peer.url()), once));
  ASSERT_TRUE(send(target(peer.url()), once));
  EXPECT_EQ(peer.requests().size(), 7U);
}

TEST_F(VendorHttpTest, ClientErrorsDoNotOpenTheBreaker) {
  PeerServer peer(always(http_response(404, "")));
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(send(target(peer.url()), get("/")));
  EXPECT_EQ(peer.requests().size(), 8U);
}

TEST_F(VendorHttpTest, ACallThatOpensTheBreakerStillTellsWhatTheVendorDid) {
  PeerServer peer(always(http_response(503, "")));
  Json attempts{{"retryPolicy", {{"maxAttempts", 8}, {"initialDelayMs", 0}, {"maxDelayMs", 0}}}};
  const auto response = send(target(peer.url(), attempts), get("/"));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(peer.requests().size(), 5U);
}

// --- deadline

TEST_F(VendorHttpTest, TheIntegrationsTimeoutEndsAnExchange) {
  PeerServer peer(scripts::hang_after(""));
  Json quick{{"timeout", 0.2}, {"retryPolicy", {{"maxAttempts", 1}}}};
  const auto response = send(target(peer.url(), quick), get("/"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason(), "http.timeout");
  EXPECT_EQ(response.error().code(), ErrorCode::deadline_exceeded);
}

TEST_F(VendorHttpTest, TheCallersDeadlineEndsAnExchangeAndDoesNotBlameTheVendor) {
  PeerServer peer(scripts::hang_after(""));
  for (int i = 0; i < 6; ++i) {
    CallOptions options;
    options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
    const auto response = send(target(peer.url()), get("/"), options);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().reason(), "http.timeout") << "never breaker.open";
  }
}

// --- redaction

TEST_F(VendorHttpTest, ASecretThatTheVendorEchoesIsNotInTheCallsError) {
  PeerServer peer(scripts::answer([](const PeerRequest& request) {
    const std::string credential = request.header("Authorization");
    return http_response(400, fmt::format("bad credential {} or {}", credential, base64_encode(credential)));
  }));
  struct Echo {
    static Task<Result<ResolvedDigest>> run(CallContext& call) {
      VendorRequest request;
      request.target = "/";
      const Result<VendorResponse> response = co_await call.http.send(std::move(request));
      if (!response) co_return fail(response.error());
      co_return fail(vendor_error(*response, "ask", response->body).with_detail("said", response->body));
    }
  };
  connector_->on_resolve = &Echo::run;
  const auto answer = thread_.run(runtime_->resolve_tag_to_digest(
      target(peer.url()), ResolveRequest{.image_ref = "app:v1", .platform = "", .strict = false}, {}));
  ASSERT_FALSE(answer);
  std::string everything = answer.error().message() + answer.error().remedy();
  for (const auto& [name, value] : answer.error().details()) everything += value;
  EXPECT_NE(everything.find("bad credential"), std::string::npos) << everything;
  EXPECT_EQ(everything.find(kCanary), std::string::npos) << everything;
  EXPECT_EQ(everything.find(base64_encode(std::string("Bearer ") + kCanary)), std::string::npos) << everything;
}

}  // namespace
}  // namespace inthub
