#include <fstream>
#include <iostream>
#include <string>

#include "support/process.h"
#include "transport/http_client.h"
#include "transport/http_client_fixture.h"

namespace inthub {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing_support::encrypted_copy;
using testing_support::http_response;
using testing_support::Identity;
using testing_support::PeerConnection;
using testing_support::PeerRequest;
using testing_support::PeerServer;
using testing_support::TestCa;
namespace scripts = testing_support::scripts;

constexpr std::chrono::hours kDay{24};

testing_support::Script echo_target() {
  return scripts::answer([](const PeerRequest& request) { return http_response(200, request.target); });
}
SecretPtr secret(std::string value) {
  return make_secret(std::move(value));
}

class HttpClientTlsTest : public HttpClientTest {
 protected:
  static PeerServer::Options serving(Identity identity) { return {.tls = std::move(identity)}; }
  TransportProfilePtr with_certificate(const Identity& identity) const {
    return profile({.ca_bundle_pem = ca.certificate_pem(),
                    .client_certificate_pem = identity.chain_pem,
                    .client_key_pem = secret(identity.key_pem)});
  }
};

// --- trust
// ------------------------------------------------------------------------------------------------------------

TEST_F(HttpClientTlsTest, TheSystemsAuthoritiesAreTrusted) {
  const PeerServer peer(echo_target(), serving(system_ca.issue()));
  const auto answer = send(peer.url("/", "localhost"));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->peer.tls_version, "TLSv1.3");
  EXPECT_GT(answer->timings.tls, answer->timings.tcp);
}

TEST_F(HttpClientTlsTest, ABundleIsTrustedInAdditionToTheSystem) {
  const PeerServer own(echo_target(), serving(ca.issue()));
  const PeerServer other(echo_target(), serving(system_ca.issue()));
  EXPECT_THAT(send(own.url(), trusting(ca.certificate_pem())), answered_with(200));
  EXPECT_THAT(send(other.url(), trusting(ca.certificate_pem())), answered_with(200));
}

TEST_F(HttpClientTlsTest, AReusedConnectionStillKnowsItsTlsVersion) {
  const PeerServer peer(echo_target(), {.tls = system_ca.issue(), .tls12_only = true});
  ASSERT_THAT(send(peer.url()), answered_with(200));
  const auto second = send(peer.url());
  ASSERT_THAT(second, answered_with(200));
  EXPECT_TRUE(second->peer.reused_connection);
  EXPECT_EQ(second->peer.tls_version, "TLSv1.2");
  EXPECT_EQ(second->timings.tls.count(), 0);
}

TEST_F(HttpClientTlsTest, AnIntermediateInTheBundleIsAnAnchor) {
  const TestCa intermediate = ca.intermediate();
  Identity leaf = intermediate.issue();
  leaf.chain_pem = leaf.certificate_pem;
  const PeerServer peer(echo_target(), serving(leaf));
  EXPECT_THAT(send(peer.url(), trusting(intermediate.certificate_pem())), answered_with(200));
}

TEST_F(HttpClientTlsTest, ASelfSignedCertificateInTheBundleIsTrusted) {
  const Identity own = TestCa::self_signed();
  const PeerServer peer(echo_target(), serving(own));
  EXPECT_THAT(send(peer.url(), trusting(own.certificate_pem)), answered_with(200));
}

TEST_F(HttpClientTlsTest, AChainThroughAnIntermediateIsTrusted) {
  const PeerServer peer(echo_target(), serving(ca.intermediate("One").intermediate("Two").issue()));
  EXPECT_THAT(send(peer.url(), trusting(ca.certificate_pem())), answered_with(200));
}

// --- refused certificates
// ---------------------------------------------------------------------------------------------

TEST_F(HttpClientTlsTest, AnUnknownAuthorityIsNamed) {
  const PeerServer peer(echo_target(), serving(ca.issue()));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, failed_with("tls.unknown_authority", HttpStage::tls));
  const Error& error = answer.error().error;
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_EQ(error.field(), "/caBundle");
  EXPECT_THAT(error.message(), HasSubstr("\"Company Root\""));
  EXPECT_THAT(error.remedy(), HasSubstr("caBundle"));
  EXPECT_EQ(error.details().at("issuer"), "Company Root");
  EXPECT_THAT(peer.requests(), SizeIs(0));
}

TEST_F(HttpClientTlsTest, AnUnknownAuthorityThatSendsItsRootIsStillUnknown) {
  Identity leaf = ca.issue();
  leaf.chain_pem += ca.certificate_pem();
  const PeerServer peer(echo_target(), serving(leaf));
  EXPECT_THAT(send(peer.url()), failed_with("tls.unknown_authority", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, AnAuthorityOfTheSameNameButAnotherKeyIsUnknown) {
  const TestCa impostor("Company Root");
  const PeerServer peer(echo_target(), serving(impostor.issue()));
  EXPECT_THAT(send(peer.url(), trusting(ca.certificate_pem())), failed_with("tls.unknown_authority", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, ACompleteChainToAnUnknownRootIsUnknown) {
  const PeerServer peer(echo_target(), serving(ca.intermediate().issue()));
  EXPECT_THAT(send(peer.url()), failed_with("tls.unknown_authority", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, AMissingIntermediateIsAnIncompleteChain) {
  Identity leaf = ca.intermediate("Issuing CA").issue();
  leaf.chain_pem = leaf.certificate_pem;
  const PeerServer peer(echo_target(), serving(leaf));
  const auto answer = send(peer.url(), trusting(ca.certificate_pem()));
  ASSERT_THAT(answer, failed_with("tls.incomplete_chain", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("\"Issuing CA\""));
  EXPECT_THAT(answer.error().error.remedy(), HasSubstr("intermediate"));
}

TEST_F(HttpClientTlsTest, ASelfSignedCertificateIsRefused) {
  const PeerServer peer(echo_target(), serving(TestCa::self_signed()));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, failed_with("tls.self_signed", HttpStage::tls));
  EXPECT_EQ(answer.error().error.field(), "/caBundle");
}

TEST_F(HttpClientTlsTest, AnExpiredCertificateSaysSinceWhen) {
  const PeerServer peer(echo_target(), serving(system_ca.issue({.valid_from = -3 * kDay, .valid_until = -kDay})));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, failed_with("tls.expired", HttpStage::tls));
  const Error& error = answer.error().error;
  const std::string day = to_rfc3339(system_clock().now() - kDay).substr(0, 10);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("127.0.0.1:" + std::to_string(peer.port())), HasSubstr("expired on " + day)));
  EXPECT_EQ(error.field(), "/endpoint");
}

TEST_F(HttpClientTlsTest, ACertificateOfTomorrowIsNotYetValid) {
  const PeerServer peer(echo_target(), serving(system_ca.issue({.valid_from = kDay, .valid_until = 3 * kDay})));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, failed_with("tls.not_yet_valid", HttpStage::tls));
  EXPECT_THAT(answer.error().error.remedy(), HasSubstr("clock"));
}

TEST_F(HttpClientTlsTest, DatesAreReportedBeforeAnUnknownIssuer) {
  const PeerServer peer(echo_target(), serving(TestCa::self_signed({.valid_from = -3 * kDay, .valid_until = -kDay})));
  EXPECT_THAT(send(peer.url()), failed_with("tls.expired", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, AWrongNameListsTheNamesThereAre) {
  const PeerServer peer(echo_target(), serving(system_ca.issue({.names = {"a.example", "10.9.8.7", "b.example"}})));
  const auto answer = send(peer.url("/", "localhost"));
  ASSERT_THAT(answer, failed_with("tls.hostname_mismatch", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("is for a.example, 10.9.8.7, b.example; not for localhost"));
  EXPECT_EQ(answer.error().error.field(), "/endpoint");
}

TEST_F(HttpClientTlsTest, AnAddressMustBeNamedAsAnAddress) {
  const PeerServer peer(echo_target(), serving(system_ca.issue({.names = {"localhost"}})));
  EXPECT_THAT(send(peer.url("/", "localhost")), answered_with(200));
  EXPECT_THAT(send(peer.url("/", "127.0.0.1")), failed_with("tls.hostname_mismatch", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, TheCommonNameIsNotAName) {
  const PeerServer peer(echo_target(), serving(system_ca.issue({.names = {}, .common_name = "localhost"})));
  EXPECT_THAT(send(peer.url("/", "localhost")), failed_with("tls.hostname_mismatch", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, NoRemedyIsToStopVerifying) {
  const PeerServer unknown(echo_target(), serving(ca.issue()));
  const PeerServer self_signed(echo_target(), serving(TestCa::self_signed()));
  for (const PeerServer* peer : {&unknown, &self_signed}) {
    const auto answer = send(peer->url());
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().error.remedy(),
                AllOf(Not(HasSubstr("verif")), Not(HasSubstr("insecure")), Not(HasSubstr("skip"))));
  }
}

// --- sharing
// ----------------------------------------------------------------------------------------------------------

TEST_F(HttpClientTlsTest, AConnectionVerifiedWithOneBundleIsNotUsedWithAnother) {
  const TestCa other("Other Root");
  const PeerServer peer(echo_target(), serving(ca.issue()));
  const auto first = trusting(ca.certificate_pem());
  ASSERT_THAT(send(peer.url(), first), answered_with(200));
  EXPECT_THAT(send(peer.url(), trusting(other.certificate_pem())),
              failed_with("tls.unknown_authority", HttpStage::tls));
  EXPECT_THAT(send(peer.url()), failed_with("tls.unknown_authority", HttpStage::tls));
  const auto again = send(peer.url(), first);
  ASSERT_THAT(again, answered_with(200));
  EXPECT_TRUE(again->peer.reused_connection);
}

class SessionOf : public HttpClientTlsTest, public testing::WithParamInterface<bool> {};
TEST_P(SessionOf, OneConnectionIsNotResumedByAnother) {
  // Closing after each answer leaves only the session to be reused; the server offers tickets.
  const PeerServer peer(
      [](PeerConnection& connection) {
        if (connection.read_request()) connection.send(http_response(200, "", "Connection: close\r\n"));
      },
      {.tls = ca.issue(), .tls12_only = GetParam()});
  const auto trusted = trusting(ca.certificate_pem());
  ASSERT_THAT(send(peer.url(), trusted), answered_with(200));
  ASSERT_THAT(send(peer.url(), trusted), answered_with(200));
  EXPECT_THAT(send(peer.url(), trusting(TestCa("Other Root").certificate_pem())),
              failed_with("tls.unknown_authority", HttpStage::tls));
  EXPECT_EQ(peer.sessions_resumed(), 0U);
}
INSTANTIATE_TEST_SUITE_P(Version, SessionOf, testing::Bool(),
                         [](const auto& test) { return test.param ? "Tls12" : "Tls13"; });

TEST_F(HttpClientTlsTest, AClientCertificateIsNotSharedWithRequestsThatHaveNone) {
  const PeerServer peer(echo_target(), {.tls = ca.issue(), .client_ca_pem = ca.certificate_pem()});
  ASSERT_THAT(send(peer.url(), with_certificate(ca.issue({.common_name = "hub"}))), answered_with(200));
  EXPECT_THAT(send(peer.url(), trusting(ca.certificate_pem())),
              failed_with("tls.client_certificate_refused", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, ManyBundlesEachKeepTheirOwnTrust) {
  const PeerServer peer(echo_target(), serving(ca.issue()));
  for (int i = 0; i < 20; ++i) {
    const TestCa other("Other " + std::to_string(i));
    EXPECT_THAT(send(peer.url(), trusting(other.certificate_pem())),
                failed_with("tls.unknown_authority", HttpStage::tls));
    EXPECT_THAT(send(peer.url(), trusting(other.certificate_pem() + ca.certificate_pem())), answered_with(200));
  }
}

// --- client certificates
// ----------------------------------------------------------------------------------------------

class ClientCertificate : public HttpClientTlsTest, public testing::WithParamInterface<bool> {
 protected:
  PeerServer::Options demanding() const {
    return {.tls = ca.issue(), .client_ca_pem = ca.certificate_pem(), .tls12_only = GetParam()};
  }
};
INSTANTIATE_TEST_SUITE_P(Version, ClientCertificate, testing::Bool(),
                         [](const auto& test) { return test.param ? "Tls12" : "Tls13"; });

TEST_P(ClientCertificate, IsShownToAServerThatWantsOne) {
  const PeerServer peer(echo_target(), demanding());
  EXPECT_THAT(send(peer.url(), with_certificate(ca.issue())), answered_with(200));
  EXPECT_THAT(send(peer.url(), with_certificate(ca.intermediate().issue())), answered_with(200));
}

TEST_P(ClientCertificate, MissingIsSaidToBeMissing) {
  const PeerServer peer(echo_target(), demanding());
  const auto answer = send(peer.url(), trusting(ca.certificate_pem()));
  ASSERT_THAT(answer, failed_with("tls.client_certificate_refused", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("none is configured"));
  EXPECT_EQ(answer.error().error.field(), "/clientCertificate");
}

TEST_P(ClientCertificate, OfAnotherAuthorityIsRefused) {
  const PeerServer peer(echo_target(), demanding());
  const auto answer = send(peer.url(), with_certificate(TestCa("Other").issue()));
  ASSERT_THAT(answer, failed_with("tls.client_certificate_refused", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("refused the client certificate"));
}

TEST_P(ClientCertificate, ExpiredIsRefused) {
  const PeerServer peer(echo_target(), demanding());
  EXPECT_THAT(send(peer.url(), with_certificate(ca.issue({.valid_from = -3 * kDay, .valid_until = -kDay}))),
              failed_with("tls.client_certificate_refused", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, AClientCertificateIsNotShownToAnUnverifiedServer) {
  const PeerServer peer(echo_target(), {.tls = TestCa("Impostor").issue(), .client_ca_pem = ca.certificate_pem()});
  EXPECT_THAT(send(peer.url(), with_certificate(ca.issue())), failed_with("tls.unknown_authority", HttpStage::tls));
  EXPECT_THAT(peer.requests(), SizeIs(0));
}

// --- bad configuration
// ------------------------------------------------------------------------------------------------

TEST_F(HttpClientTlsTest, ABundleThatIsNoCertificateIsRefused) {
  const PeerServer peer(echo_target(), serving(ca.issue()));
  std::string damaged = ca.certificate_pem();
  damaged.replace(damaged.find('\n') + 10, 8, "AAAAAAAA");
  for (const std::string& bundle : {std::string("not PEM"), damaged, ca.certificate_pem() + damaged}) {
    const auto answer = send(peer.url(), trusting(bundle));
    ASSERT_THAT(answer, failed_with("tls.bad_ca_bundle", HttpStage::tls));
    EXPECT_EQ(answer.error().error.field(), "/caBundle");
  }
  EXPECT_EQ(peer.connections_accepted(), 0U);
}

struct BadClientCertificate {
  std::string name;
  std::string certificate;
  std::string key;
};
TEST_F(HttpClientTlsTest, AClientCertificateThatCannotWorkIsRefusedBeforeConnecting) {
  const PeerServer peer(echo_target(), serving(ca.issue()));
  const Identity good = ca.issue();
  const Identity other = ca.issue();
  for (const auto& [name, certificate, key] :
       {BadClientCertificate{"no key", good.chain_pem, ""}, BadClientCertificate{"not PEM", "hub", good.key_pem},
        BadClientCertificate{"foreign key", good.chain_pem, other.key_pem},
        BadClientCertificate{"no PEM key", good.chain_pem, "hunter2"},
        BadClientCertificate{"encrypted key", good.chain_pem, encrypted_copy(good.key_pem)}}) {
    const auto answer = send(peer.url(), profile({.ca_bundle_pem = ca.certificate_pem(),
                                                  .client_certificate_pem = certificate,
                                                  .client_key_pem = key.empty() ? nullptr : secret(key)}));
    ASSERT_THAT(answer, failed_with("tls.bad_client_certificate", HttpStage::tls)) << name;
    EXPECT_EQ(answer.error().error.field(), "/clientCertificate") << name;
    EXPECT_THAT(answer.error().error.message(), Not(HasSubstr("hunter2")));
  }
  EXPECT_EQ(peer.connections_accepted(), 0U);
}

// --- handshakes that fail
// ---------------------------------------------------------------------------------------------

TEST_F(HttpClientTlsTest, APlainServerDoesNotSpeakTls) {
  const PeerServer peer([](PeerConnection& connection) {
    connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.wait_until_closed();
  });
  const auto answer = send("https://127.0.0.1:" + std::to_string(peer.port()) + "/");
  ASSERT_THAT(answer, failed_with("tls.handshake_failed", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("does not speak TLS"));
}

TEST_F(HttpClientTlsTest, AServerThatClosesDuringTheHandshakeFailsIt) {
  const PeerServer peer(scripts::close_at_once());
  EXPECT_THAT(send("https://127.0.0.1:" + std::to_string(peer.port()) + "/"),
              failed_with("tls.handshake_failed", HttpStage::tls));
}

TEST_F(HttpClientTlsTest, AServerThatHangsInTheHandshakeRunsIntoTheConnectTimeout) {
  const PeerServer peer(scripts::hang());
  const auto answer =
      send("https://127.0.0.1:" + std::to_string(peer.port()) + "/", profile({.connect_timeout = kBrief}));
  ASSERT_THAT(answer, failed_with("tls.timeout", HttpStage::tls));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::deadline_exceeded);
  EXPECT_GT(answer.error().timings.tcp.count(), 0);
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(HttpClientTlsTest, AnAlertIsQuoted) {
  const PeerServer peer([](PeerConnection& connection) {
    connection.send(std::string("\x15\x03\x03\x00\x02\x02\x70", 7));  // fatal, unrecognized_name
    connection.wait_until_closed();
  });
  const auto answer = send("https://127.0.0.1:" + std::to_string(peer.port()) + "/");
  ASSERT_THAT(answer, failed_with("tls.handshake_failed", HttpStage::tls));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("unrecognized name"));
}

// --- a real server
// ----------------------------------------------------------------------------------------------------

class NginxTest : public HttpClientTlsTest {
 protected:
  void SetUp() override {
    if (!testing_support::find_program("nginx")) GTEST_SKIP() << "nginx is not installed";
    const std::string root = directory.path().string();
    const auto files = ca.issue().write_to(directory.path(), "server");
    ca.write_to(directory.path(), "clients");
    port = testing_support::free_port();
    std::ofstream(directory.path() / "nginx.conf")
        << "daemon off; master_process off; pid " << root << "/pid; error_log " << root << "/error.log;\n"
        << "events {}\nhttp { access_log off; client_body_temp_path " << root << "; proxy_temp_path " << root
        << "; fastcgi_temp_path " << root << "; uwsgi_temp_path " << root << "; scgi_temp_path " << root
        << ";\nserver { listen 127.0.0.1:" << port << " ssl; ssl_certificate " << files.chain.string()
        << "; ssl_certificate_key " << files.key.string() << "; ssl_client_certificate " << root
        << "/clients.pem; ssl_verify_client on;\n location / { return 200 \"hello $ssl_client_s_dn\"; } } }\n";
    nginx = std::make_unique<testing_support::Process>(
        std::vector<std::string>{"nginx", "-p", root, "-e", root + "/error.log", "-c", root + "/nginx.conf"});
    ASSERT_TRUE(nginx->wait_until_accepts(port)) << std::ifstream(directory.path() / "error.log").rdbuf();
  }
  std::string url() const { return "https://localhost:" + std::to_string(port) + "/"; }

  std::uint16_t port = 0;
  std::unique_ptr<testing_support::Process> nginx;
};

TEST_F(NginxTest, AcceptsTheRightClientCertificate) {
  const auto answer = send(url(), with_certificate(ca.issue({.common_name = "the hub"})));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, "hello CN=the hub");
}

TEST_F(NginxTest, AnswersAMissingClientCertificateWithItsOwnPage) {
  const auto answer = send(url(), trusting(ca.certificate_pem()));
  ASSERT_THAT(answer, answered_with(400));
  EXPECT_THAT(answer->body, HasSubstr("No required SSL certificate was sent"));
}

TEST_F(NginxTest, AnswersAForeignClientCertificateWithItsOwnPage) {
  const auto answer = send(url(), with_certificate(TestCa("Other").issue()));
  ASSERT_THAT(answer, answered_with(400));
  EXPECT_THAT(answer->body, HasSubstr("The SSL certificate error"));
}

}  // namespace
}  // namespace inthub
