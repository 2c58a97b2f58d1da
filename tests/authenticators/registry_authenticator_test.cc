#include "authenticators/registry_authenticator.h"

#include <deque>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "authenticators/realm_policy.h"
#include "authenticators/scope_set.h"
#include "authenticators/token_cache.h"
#include "authenticators/token_response.h"
#include "foundation/encoding.h"
#include "support/fake_clock.h"
#include "support/run_task.h"

namespace inthub {
namespace {

using testing_support::FakeClock;
using testing_support::run_task;

const std::string kPull = "repository:app:pull";
constexpr std::string_view kPassword = "hunter2-hunter2";

/// Plays the runtime's part: holds the secret, answers the token service's requests from a script and remembers them.
class FakeContext final : public AuthenticationContext {
 public:
  explicit FakeContext(const std::string& endpoint) : endpoint_(HttpUrl::parse(endpoint).value()) {
    config_["endpoint"] = endpoint;
  }

  TenantId tenant() const override { return TenantId(Uuid{.bytes = {1}}); }
  IntegrationId integration() const override { return integration_id; }
  const Json& config() const override { return config_; }
  const HttpUrl& endpoint() const override { return endpoint_; }
  const std::string& credential_key() const override { return key; }
  Task<Result<SecretPtr>> secret() override {
    ++secrets_asked;
    co_return credential;
  }
  Task<Result<HttpResponse>> send(HttpRequest request) override {
    sent.push_back(std::move(request));
    if (hold) co_await hold->wait(std::chrono::steady_clock::now() + std::chrono::seconds(20));
    if (answers.empty()) co_return fail(ErrorCode::unavailable, "no answer left");
    HttpResponse answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    co_return answer;
  }

  void with_credential(const std::string& username) {
    credential = make_secret(std::string(kPassword));
    if (!username.empty()) config_["username"] = username;
  }
  void answers_with(int status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    answers.push_back(std::move(response));
  }

  Json config_;
  IntegrationId integration_id{Uuid{.bytes = {2}}};
  std::string key = "authref://local/x#1";
  SecretPtr credential;
  std::deque<HttpResponse> answers;
  std::vector<HttpRequest> sent;
  int secrets_asked = 0;
  std::optional<OneShot<bool>> hold;

 private:
  HttpUrl endpoint_;
};

HttpResponse refusal(int status, const std::string& challenge) {
  HttpResponse response;
  response.status = status;
  if (!challenge.empty()) response.headers.add("WWW-Authenticate", challenge);
  return response;
}
std::string bearer(const std::string& scope, const std::string& realm = "https://r.example/token") {
  return fmt::format(R"(Bearer realm="{}",service="reg",scope="{}")", realm, scope);
}
std::string token_body(const std::string& token, int expires_in = 300) {
  return fmt::format(R"({{"token":"{}","expires_in":{}}})", token, expires_in);
}
std::string authorization(const HttpRequest& request) {
  return std::string(request.headers.find("Authorization").value_or(""));
}
std::string basic(const std::string& username) {
  return "Basic " + base64_encode(username + ":" + std::string(kPassword));
}

/// Answers a challenge for kPull in the background, and counts when it is done.
Task<void> answer_and_count(Authenticator& authenticator, FakeContext& context, HttpRequest& request,
                            std::size_t& done) {
  const std::vector<std::string> scopes{kPull};
  const HttpResponse refused = refusal(401, bearer(kPull));
  const auto answered = co_await authenticator.answer_challenge(context, request, scopes, refused);
  EXPECT_TRUE(answered && *answered);
  ++done;
}

class RegistryAuthenticatorTest : public testing::Test {
 protected:
  HttpRequest request_to(const std::string& url = "https://r.example/v2/app/manifests/v1") {
    HttpRequest request;
    request.url = HttpUrl::parse(url).value();
    return request;
  }
  Result<bool> answer(HttpRequest& request, const HttpResponse& refused,
                      const std::vector<std::string>& scopes = {kPull}) {
    return run_task(authenticator->answer_challenge(context, request, scopes, refused));
  }
  Result<void> authorize(HttpRequest& request, const std::vector<std::string>& scopes = {kPull}) {
    return run_task(authenticator->authorize(context, request, scopes));
  }
  /// One call as the runtime makes it: authorised, refused with `challenge`, answered.
  std::string first_call() {
    HttpRequest request = request_to();
    EXPECT_TRUE(authorize(request));
    const auto answered = answer(request, refusal(401, bearer(kPull)));
    EXPECT_TRUE(answered && *answered);
    return authorization(request);
  }

  FakeClock clock;
  FakeContext context{"https://r.example"};
  std::shared_ptr<Authenticator> authenticator = make_registry_authenticator(clock);
};

// ---- token service -------------------------------------------------------------------------------------------------

TEST_F(RegistryAuthenticatorTest, TheFirstRequestGoesBareAndReadsNoSecret) {
  context.with_credential("u");
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  EXPECT_EQ(authorization(request), "");
  EXPECT_EQ(context.secrets_asked, 0);
}

TEST_F(RegistryAuthenticatorTest, ABearerChallengeIsAnsweredWithATokenFetchedByGet) {
  context.with_credential("bob");
  context.answers_with(200, token_body("T1"));
  EXPECT_EQ(first_call(), "Bearer T1");
  ASSERT_EQ(context.sent.size(), 1U);
  const HttpRequest& asked = context.sent[0];
  EXPECT_EQ(asked.method, "GET");
  EXPECT_EQ(asked.url.to_string(), "https://r.example/token?service=reg&scope=repository%3Aapp%3Apull&account=bob");
  EXPECT_EQ(authorization(asked), basic("bob"));
  EXPECT_EQ(asked.max_body_bytes, kMaxTokenBodyBytes);
}

TEST_F(RegistryAuthenticatorTest, AnonymousTokensAreFetchedWithoutCredential) {
  context.answers_with(200, R"({"access_token":"T1"})");
  EXPECT_EQ(first_call(), "Bearer T1");
  EXPECT_EQ(authorization(context.sent[0]), "");
  EXPECT_EQ(context.sent[0].url.query.find("account"), std::string::npos);
}

TEST_F(RegistryAuthenticatorTest, ARealmKeepsItsQueryAndMayBeRelative) {
  context.answers_with(200, token_body("T1"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull, "/jwt/auth?client=x"))));
  EXPECT_EQ(context.sent[0].url.to_string(),
            "https://r.example/jwt/auth?client=x&service=reg&scope=repository%3Aapp%3Apull");
}

TEST_F(RegistryAuthenticatorTest, AWarmCallNeedsNoExchangeAndAnotherRepositoryOne) {
  context.answers_with(200, token_body("T1"));
  first_call();
  HttpRequest warm = request_to();
  ASSERT_TRUE(authorize(warm));
  EXPECT_EQ(authorization(warm), "Bearer T1");
  EXPECT_EQ(context.sent.size(), 1U);
  HttpRequest other = request_to("https://r.example/v2/web/manifests/v1");
  ASSERT_TRUE(authorize(other, {"repository:web:pull"}));
  EXPECT_NE(authorization(other), "");
  EXPECT_EQ(context.sent.size(), 2U);
}

TEST_F(RegistryAuthenticatorTest, ATokenForMoreServesForLess) {
  context.answers_with(200, token_body("T1"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer("repository:app:push,pull"))));
  HttpRequest warm = request_to();
  ASSERT_TRUE(authorize(warm));
  EXPECT_EQ(authorization(warm), "Bearer T1");
  EXPECT_EQ(context.sent.size(), 1U);
}

TEST_F(RegistryAuthenticatorTest, ATokenIsGivenUpBeforeItExpires) {
  context.answers_with(200, token_body("T1", 300));
  context.answers_with(200, token_body("T2", 300));
  first_call();
  clock.advance(std::chrono::seconds(269));
  HttpRequest early = request_to();
  ASSERT_TRUE(authorize(early));
  EXPECT_EQ(authorization(early), "Bearer T1");
  clock.advance(std::chrono::seconds(2));
  HttpRequest late = request_to();
  ASSERT_TRUE(authorize(late));
  EXPECT_EQ(authorization(late), "Bearer T2");
}

TEST_F(RegistryAuthenticatorTest, ARotatedCredentialGetsItsOwnToken) {
  context.with_credential("u");
  context.answers_with(200, token_body("T1"));
  context.answers_with(200, token_body("T2"));
  first_call();
  context.key = "authref://local/x#2";
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  EXPECT_EQ(authorization(request), "Bearer T2");
}

TEST_F(RegistryAuthenticatorTest, OtherIntegrationsShareNothing) {
  context.answers_with(200, token_body("T1"));
  first_call();
  context.integration_id = IntegrationId(Uuid{.bytes = {3}});
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  EXPECT_EQ(authorization(request), "");
}

TEST_F(RegistryAuthenticatorTest, ForgettingAnIntegrationStartsCold) {
  context.answers_with(200, token_body("T1"));
  first_call();
  authenticator->forget(context.integration_id);
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  EXPECT_EQ(authorization(request), "");
}

TEST_F(RegistryAuthenticatorTest, ADraftLeavesNothingForALaterCall) {
  context.integration_id = {};
  context.answers_with(200, token_body("T1"));
  first_call();
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  EXPECT_EQ(authorization(request), "");
  EXPECT_EQ(first_call(), "Bearer T1");
  EXPECT_EQ(context.sent.size(), 2U);
}

// ---- refusals ------------------------------------------------------------------------------------------------------

TEST_F(RegistryAuthenticatorTest, AKeptTokenThatIsRefusedIsFetchedAgainOnce) {
  context.answers_with(200, token_body("T1"));
  context.answers_with(200, token_body("T2"));
  first_call();
  HttpRequest request = request_to();
  ASSERT_TRUE(authorize(request));
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull))));
  EXPECT_EQ(authorization(request), "Bearer T2");
  EXPECT_FALSE(*answer(request, refusal(401, bearer(kPull)))) << "a fresh token that is refused is a denial";
  EXPECT_EQ(context.sent.size(), 2U);
}

TEST_F(RegistryAuthenticatorTest, AFreshTokenThatIsRefusedForWhatItHasIsFinal) {
  context.answers_with(200, token_body("T1"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull))));
  EXPECT_FALSE(*answer(request, refusal(401, bearer(kPull) + R"(,error="insufficient_scope")")));
  EXPECT_EQ(context.sent.size(), 1U);
}

TEST_F(RegistryAuthenticatorTest, ANewlyDemandedScopeIsAddedInFront) {
  context.answers_with(200, token_body("T1"));
  context.answers_with(200, token_body("T2"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull))));
  ASSERT_TRUE(*answer(request, refusal(401, bearer("repository:zzz:pull"))));
  EXPECT_EQ(authorization(request), "Bearer T2");
  EXPECT_NE(context.sent[1].url.query.find("scope=repository%3Azzz%3Apull&scope=repository%3Aapp%3Apull"),
            std::string::npos);
}

TEST_F(RegistryAuthenticatorTest, BasicAfterBearerIsADenial) {
  context.with_credential("u");
  context.answers_with(200, token_body("T1"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull))));
  EXPECT_FALSE(*answer(request, refusal(401, R"(Basic realm="harbor")")));
  EXPECT_EQ(authorization(request), "Bearer T1");
}

TEST_F(RegistryAuthenticatorTest, AForbiddenAnswerIsOnlyAnsweredWhenItAsksForMore) {
  context.answers_with(200, token_body("T1"));
  context.answers_with(200, token_body("T2"));
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, bearer(kPull))));
  EXPECT_FALSE(*answer(request, refusal(403, "")));
  EXPECT_FALSE(*answer(request, refusal(403, bearer(kPull))));
  EXPECT_TRUE(*answer(request, refusal(403, bearer("repository:app:metadata_read"))));
}

// ---- Basic, oauth, mtls --------------------------------------------------------------------------------------------

TEST_F(RegistryAuthenticatorTest, BasicIsAnsweredAndThenSentAtOnce) {
  context.with_credential("bob");
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, R"(Negotiate, Basic realm="r")")));
  EXPECT_EQ(authorization(request), basic("bob"));
  HttpRequest next = request_to();
  ASSERT_TRUE(authorize(next));
  EXPECT_EQ(authorization(next), basic("bob"));
  EXPECT_FALSE(*answer(next, refusal(401, R"(Basic realm="r")"))) << "refused once is refused";
  EXPECT_TRUE(context.sent.empty());
}

TEST_F(RegistryAuthenticatorTest, WithoutCredentialABasicChallengeStands) {
  HttpRequest request = request_to();
  EXPECT_FALSE(*answer(request, refusal(401, R"(Basic realm="r")")));
  EXPECT_FALSE(*answer(request, refusal(401, "")));
}

TEST_F(RegistryAuthenticatorTest, ARefusalWithoutChallengeIsTakenForBasicOnce) {
  context.with_credential("bob");
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, "")));
  EXPECT_EQ(authorization(request), basic("bob"));
  EXPECT_FALSE(*answer(request, refusal(401, "")));
}

TEST_F(RegistryAuthenticatorTest, AMalformedChallengeIsAnError) {
  HttpRequest request = request_to();
  EXPECT_EQ(answer(request, refusal(401, R"(Bearer realm="open)")).error().reason(), "authentication.bad_challenge");
}

TEST_F(RegistryAuthenticatorTest, OauthExchangesTheRefreshTokenByPost) {
  context.with_credential("");
  context.config_["authMode"] = "oauth";
  context.answers_with(200, R"({"access_token":"T1","expires_in":3600})");
  EXPECT_EQ(first_call(), "Bearer T1");
  EXPECT_EQ(context.sent[0].method, "POST");
  EXPECT_EQ(context.sent[0].body,
            fmt::format(
                "grant_type=refresh_token&service=reg&client_id=inthub&scope=repository%3Aapp%3Apull&refresh_token={}",
                kPassword));
  EXPECT_EQ(authorization(context.sent[0]), "");
}

TEST_F(RegistryAuthenticatorTest, OauthFallsBackToGetOrToTheCredentialItself) {
  for (const std::string username : {"bob", ""}) {
    FakeContext fresh("https://r.example");
    fresh.with_credential(username);
    fresh.config_["authMode"] = "oauth";
    fresh.answers_with(404, "");
    fresh.answers_with(200, token_body("T1"));
    HttpRequest request = request_to();
    const auto made = make_registry_authenticator(clock);
    ASSERT_TRUE(*run_task(made->answer_challenge(fresh, request, {kPull}, refusal(401, bearer(kPull)))));
    EXPECT_EQ(authorization(request), username.empty() ? "Bearer " + std::string(kPassword) : "Bearer T1");
    EXPECT_EQ(fresh.sent.size(), username.empty() ? 1U : 2U);
    if (username.empty()) {
      HttpRequest next = request_to();
      ASSERT_TRUE(run_task(made->authorize(fresh, next, {kPull})));
      EXPECT_EQ(authorization(next), "Bearer " + std::string(kPassword));
      EXPECT_FALSE(*run_task(made->answer_challenge(fresh, next, {kPull}, refusal(401, bearer(kPull)))));
    }
  }
}

TEST_F(RegistryAuthenticatorTest, OauthSendsTheCredentialWhereTheChallengeNamesNoRealm) {
  context.with_credential("");
  context.config_["authMode"] = "oauth";
  HttpRequest request = request_to();
  ASSERT_TRUE(*answer(request, refusal(401, "Bearer")));
  EXPECT_EQ(authorization(request), "Bearer " + std::string(kPassword));
}

TEST_F(RegistryAuthenticatorTest, MtlsNeverTouchesTheKey) {
  context.with_credential("u");
  context.config_["authMode"] = "mtls";
  context.answers_with(200, token_body("T1"));
  EXPECT_EQ(first_call(), "Bearer T1");
  EXPECT_EQ(authorization(context.sent[0]), "");
  EXPECT_EQ(context.secrets_asked, 0);
  HttpRequest request = request_to();
  EXPECT_FALSE(*answer(request, refusal(401, R"(Basic realm="r")")));
}

TEST_F(RegistryAuthenticatorTest, ATokenServiceThatNeedsAUserNameSaysWhichMemberToSet) {
  context.with_credential("");
  HttpRequest request = request_to();
  EXPECT_EQ(answer(request, refusal(401, bearer(kPull))).error().field(), "/username");
}

// ---- the token service refuses or misbehaves -----------------------------------------------------------------------

TEST_F(RegistryAuthenticatorTest, RefusalsOfTheTokenServiceAreQuotedAndClassified) {
  struct Case {
    int status;
    std::string reason;
    ErrorCode code;
  };
  for (const Case& row : std::vector<Case>{{401, "authentication.rejected", ErrorCode::vendor_failure},
                                           {403, "authentication.forbidden", ErrorCode::vendor_failure},
                                           {400, "authentication.token_refused", ErrorCode::vendor_failure},
                                           {307, "authentication.redirected", ErrorCode::vendor_failure},
                                           {429, "authentication.rate_limited", ErrorCode::unavailable},
                                           {500, "authentication.server_error", ErrorCode::vendor_failure}}) {
    FakeContext fresh("https://r.example");
    fresh.with_credential("u");
    fresh.answers_with(row.status, fmt::format("Permission denied for {} (or it may not exist)", kPassword));
    HttpRequest request = request_to();
    const auto answered = run_task(
        make_registry_authenticator(clock)->answer_challenge(fresh, request, {kPull}, refusal(401, bearer(kPull))));
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().reason(), row.reason);
    EXPECT_EQ(answered.error().code(), row.code);
    EXPECT_NE(answered.error().message().find("(or it may not exist)"), std::string::npos);
    EXPECT_EQ(answered.error().message().find(kPassword), std::string::npos);
    EXPECT_EQ(authorization(request), "");
  }
}

TEST_F(RegistryAuthenticatorTest, AnswersWithoutAUsableTokenAreErrors) {
  for (const std::string body :
       {"", "{", "[]", "{}", R"({"token":""})", R"({"token":"a b"})", R"({"token":"a\r\nX: y"})", R"({"token":7})"}) {
    FakeContext fresh("https://r.example");
    fresh.answers_with(200, body);
    HttpRequest request = request_to();
    const auto answered = run_task(
        make_registry_authenticator(clock)->answer_challenge(fresh, request, {kPull}, refusal(401, bearer(kPull))));
    ASSERT_FALSE(answered) << body;
    EXPECT_EQ(answered.error().reason(), "authentication.malformed_token");
  }
}

TEST_F(RegistryAuthenticatorTest, AForeignRealmNeverGetsTheCredential) {
  context.with_credential("u");
  HttpRequest request = request_to();
  const auto answered = answer(request, refusal(401, bearer(kPull, "https://evil.example/token")));
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().reason(), "authentication.realm_not_allowed");
  EXPECT_EQ(answered.error().field(), "/tokenRealmAllow");
  EXPECT_NE(answered.error().remedy().find("evil.example"), std::string::npos);
  EXPECT_TRUE(context.sent.empty());
  context.config_["tokenRealmAllow"] = Json::array({"Evil.example"});
  context.answers_with(200, token_body("T1"));
  EXPECT_TRUE(*answer(request, refusal(401, bearer(kPull, "https://evil.example/token"))));
}

TEST_F(RegistryAuthenticatorTest, ACredentialIsNotSentOverPlainHttp) {
  FakeContext plain("http://r.example");
  plain.with_credential("u");
  HttpRequest request = request_to("http://r.example/v2/");
  const auto answered =
      run_task(authenticator->answer_challenge(plain, request, {}, refusal(401, R"(Basic realm="r")")));
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().reason(), "authentication.plaintext_refused");
  plain.config_["allowPlaintextCredentials"] = true;
  EXPECT_TRUE(*run_task(authenticator->answer_challenge(plain, request, {}, refusal(401, R"(Basic realm="r")"))));
}

// ---- sharing -------------------------------------------------------------------------------------------------------

TEST_F(RegistryAuthenticatorTest, ConcurrentRequestsForOneTokenShareOneExchange) {
  asio::io_context io(1);
  context.hold.emplace();
  context.answers_with(200, token_body("T1"));
  std::vector<HttpRequest> requests(8, request_to());
  std::size_t done = 0;
  TaskScope scope(io);
  for (HttpRequest& request : requests) {
    scope.spawn([&] { return answer_and_count(*authenticator, context, request, done); });
  }
  io.poll();  // the leader waits for the token service, the others for the leader
  EXPECT_EQ(done, 0U);
  context.hold->set(true);
  run_task(io, [](TaskScope& all, const std::size_t& ended) -> Task<void> {
    while (ended < 8) co_await yield_to_context();
    co_await all.cancel_and_join();
  }(scope, done));
  EXPECT_EQ(context.sent.size(), 1U);
  for (const HttpRequest& request : requests) EXPECT_EQ(authorization(request), "Bearer T1");
}

TEST_F(RegistryAuthenticatorTest, ACancelledLeaderDoesNotTakeTheOthersAlong) {
  asio::io_context io(1);
  context.hold.emplace();
  context.answers_with(200, token_body("T1"));
  HttpRequest first = request_to();
  HttpRequest second = request_to();
  std::size_t answered = 0;
  TaskScope leader(io);
  TaskScope follower(io);
  std::size_t answered_by_leader = 0;
  leader.spawn([&] { return answer_and_count(*authenticator, context, first, answered_by_leader); });
  io.poll();
  follower.spawn([&] { return answer_and_count(*authenticator, context, second, answered); });
  io.restart();
  io.poll();
  ASSERT_EQ(context.sent.size(), 1U);
  context.hold.reset();
  run_task(io, [](TaskScope& cancelled, const std::size_t& ended) -> Task<void> {
    co_await cancelled.cancel_and_join();
    while (ended == 0) co_await yield_to_context();
  }(leader, answered));
  EXPECT_EQ(answered_by_leader, 0U);
  EXPECT_EQ(authorization(second), "Bearer T1");
  EXPECT_EQ(context.sent.size(), 2U);
  run_task(io, follower.cancel_and_join());
}

// ---- the parts -----------------------------------------------------------------------------------------------------

struct RealmCase {
  std::string name;
  std::string registry;
  std::string realm;
  bool with_credential;
  std::string want;  ///< empty: allowed
};
std::ostream& operator<<(std::ostream& out, const RealmCase& row) {
  return out << row.name;
}

class Realm : public testing::TestWithParam<RealmCase> {};

TEST_P(Realm, IsAskedOrRefused) {
  const auto checked = check_realm({.registry = HttpUrl::parse(GetParam().registry).value(),
                                    .realm = HttpUrl::parse(GetParam().realm).value(),
                                    .allow = {"auth.allowed.example", "10.1.2.3:8080", "port.example:8443"},
                                    .with_credential = GetParam().with_credential,
                                    .plaintext_allowed = false});
  EXPECT_EQ(checked ? "" : std::string(checked.error().reason()), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, Realm,
    testing::Values(
        RealmCase{"SameHost", "https://r.example", "https://r.example/token", true, ""},
        RealmCase{"SameHostOtherPort", "https://r.example", "https://r.example:8443/token", true, ""},
        RealmCase{"Downgrade", "https://r.example", "http://r.example/token", false, "authentication.realm_refused"},
        RealmCase{"ForeignAnonymous", "https://r.example", "https://auth.example/token", false, ""},
        RealmCase{"ForeignWithCredential", "https://r.example", "https://auth.example/token", true,
                  "authentication.realm_not_allowed"},
        RealmCase{"Allowed", "https://r.example", "https://auth.allowed.example/token", true, ""},
        RealmCase{"AllowedOnlyOnItsUsualPort", "https://r.example", "https://auth.allowed.example:8443/token", true,
                  "authentication.realm_not_allowed"},
        RealmCase{"AllowedWithPort", "https://r.example", "https://port.example:8443/token", true, ""},
        RealmCase{"SubdomainOfAllowed", "https://r.example", "https://x.auth.allowed.example/token", true,
                  "authentication.realm_not_allowed"},
        RealmCase{"DockerHub", "https://registry-1.docker.io", "https://auth.docker.io/token", true, ""},
        RealmCase{"DockerHubsServiceForOthers", "https://r.example", "https://auth.docker.io/token", true,
                  "authentication.realm_not_allowed"},
        RealmCase{"Loopback", "https://r.example", "https://127.0.0.1/token", false, "authentication.realm_refused"},
        RealmCase{"Private", "https://r.example", "https://10.0.0.1/token", false, "authentication.realm_refused"},
        RealmCase{"Metadata", "http://r.example", "http://169.254.169.254/token", false,
                  "authentication.realm_refused"},
        RealmCase{"LoopbackV6", "https://r.example", "https://[::1]/token", false, "authentication.realm_refused"},
        RealmCase{"MappedV6", "https://r.example", "https://[::ffff:10.0.0.1]/token", false,
                  "authentication.realm_refused"},
        RealmCase{"LocalhostByName", "https://r.example", "https://localhost/token", false,
                  "authentication.realm_refused"},
        RealmCase{"PrivateButAllowed", "http://r.example", "http://10.1.2.3:8080/token", false, ""},
        RealmCase{"RegistrysOwnLoopback", "http://127.0.0.1:5000", "http://127.0.0.1:5001/token", true, ""},
        RealmCase{"PlaintextToTheWorld", "http://r.example", "http://r.example/token", true,
                  "authentication.plaintext_refused"}),
    [](const auto& row) { return row.param.name; });

TEST(ScopeSet, IsNormalisedAndMerged) {
  ScopeSet set({"repository:b:push,pull", "repository:a:pull", "repository:a:push,pull"});
  EXPECT_EQ(set.to_string(), "repository:a:pull,push repository:b:pull,push");
  EXPECT_EQ(set, ScopeSet::from_challenge("repository:b:pull,push repository:a:push,pull"));
}

TEST(ScopeSet, ANameMayHoldAPort) {
  ScopeSet set({"repository:host:5000/app:pull"});
  EXPECT_TRUE(ScopeSet({"repository:host:5000/app:pull,push"}).covers(set));
  EXPECT_FALSE(ScopeSet({"repository:host:pull"}).covers(set));
}

TEST(ScopeSet, CoversWhatIsNotMore) {
  const ScopeSet set({"repository:a:pull", "registry:catalog:*"});
  EXPECT_TRUE(set.covers({}));
  EXPECT_TRUE(set.covers(ScopeSet({"registry:catalog:read"})));
  EXPECT_FALSE(set.covers(ScopeSet({"repository:a:pull,push"})));
  EXPECT_FALSE(set.covers(ScopeSet({"repository:b:pull"})));
}

TEST(ScopeSet, IsBounded) {
  ScopeSet set;
  for (std::size_t i = 0; i < 2 * kMaxScopes; ++i) set.add(fmt::format("repository:r{}:pull", i));
  EXPECT_EQ(set.texts().size(), kMaxScopes);
}

TEST(TokenGrant, LivesAsLongAsItIsSaidToWithinBounds) {
  const Timestamp now = parse_rfc3339("2026-01-01T00:00:00Z").value_or(Timestamp{});
  const auto usable = [now](std::string body) { return read_token_grant(body, now).value().usable_for; };
  using std::chrono::seconds;
  EXPECT_EQ(usable(R"({"token":"t"})"), seconds(50)) << "60 s when absent";
  EXPECT_EQ(usable(R"({"token":"t","expires_in":0})"), seconds(50));
  EXPECT_EQ(usable(R"({"token":"t","expires_in":-5})"), seconds(50));
  EXPECT_EQ(usable(R"({"token":"t","expires_in":"300"})"), seconds(50));
  EXPECT_EQ(usable(R"({"token":"t","expires_in":300})"), seconds(270));
  EXPECT_EQ(usable(R"({"token":"t","expires_in":1e300})"), kMostTokenLife - kMostTokenLife / 10);
  EXPECT_EQ(usable(R"({"token":"t","expires_in":300,"issued_at":"2025-12-31T23:59:40Z"})"), seconds(250));
  EXPECT_EQ(usable(R"({"token":"t","expires_in":300,"issued_at":"2026-01-01T01:00:00Z"})"), seconds(270))
      << "from the future";
  EXPECT_EQ(usable(R"({"token":"t","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"})"), seconds(270))
      << "a wrong clock";
}

TEST(TokenGrant, WipesTheBody) {
  std::string body = R"({"token":"t"})";
  ASSERT_TRUE(read_token_grant(body, {}));
  EXPECT_TRUE(body.empty());
}

TEST(TokenCache, HoldsNoMoreThanItsBoundAndDropsTheLeastRecentlyUsed) {
  const FakeClock clock;
  TokenCache cache(clock);
  const TokenOwner owner{.tenant = {}, .integration = {}, .realm = "r", .service = "s", .credential = "c"};
  const auto scope = [](std::size_t i) { return ScopeSet({fmt::format("repository:r{}:pull", i)}); };
  const auto later = clock.steady_now() + std::chrono::minutes(5);
  for (std::size_t i = 0; i < kMaxTokens; ++i) cache.put(owner, scope(i), make_secret("token"), later);
  ASSERT_NE(cache.find(owner, scope(0)), nullptr);
  cache.put(owner, scope(kMaxTokens), make_secret("token"), later);
  EXPECT_EQ(cache.size(), kMaxTokens);
  EXPECT_NE(cache.find(owner, scope(0)), nullptr);
  EXPECT_EQ(cache.find(owner, scope(1)), nullptr);
}

TEST(TokenCache, OwnersAreKeptApart) {
  const FakeClock clock;
  TokenCache cache(clock);
  const TokenOwner owner{.tenant = {}, .integration = {}, .realm = "r", .service = "s", .credential = "c"};
  cache.put(owner, ScopeSet({kPull}), make_secret("token"), clock.steady_now() + std::chrono::minutes(5));
  for (const TokenOwner& other :
       {TokenOwner{TenantId(Uuid{.bytes = {9}}), {}, "r", "s", "c"},
        TokenOwner{{}, IntegrationId(Uuid{.bytes = {9}}), "r", "s", "c"}, TokenOwner{{}, {}, "x", "s", "c"},
        TokenOwner{{}, {}, "r", "x", "c"}, TokenOwner{{}, {}, "r", "s", "x"}}) {
    EXPECT_EQ(cache.find(other, ScopeSet({kPull})), nullptr);
    EXPECT_FALSE(cache.identify(other, "token"));
  }
  EXPECT_TRUE(cache.identify(owner, "token"));
}

}  // namespace
}  // namespace inthub
