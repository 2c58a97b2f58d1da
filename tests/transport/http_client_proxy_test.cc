#include <string>
#include <vector>

#include "foundation/encoding.h"
#include "support/process.h"
#include "transport/http_client.h"
#include "transport/http_client_fixture.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing_support::free_port;
using testing_support::http_response;
using testing_support::PeerConnection;
using testing_support::PeerRequest;
using testing_support::PeerServer;
namespace scripts = testing_support::scripts;

testing_support::Script echo_target() {
  return scripts::answer([](const PeerRequest& request) { return http_response(200, request.target); });
}

class HttpClientProxyTest : public HttpClientTest {
 protected:
  TransportProfilePtr through(const PeerServer& proxy) const {
    return through("http://127.0.0.1:" + std::to_string(proxy.port()));
  }
  TransportProfilePtr through(const std::string& proxy_url) const {
    return profile(
        {.ca_bundle_pem = ca.certificate_pem(), .proxy_url = proxy_url, .connect_timeout = std::chrono::seconds(5)});
  }
  TransportProfilePtr through_with_certificate(const std::string& proxy_url) const {
    const testing_support::Identity identity = ca.issue();
    return profile({.ca_bundle_pem = ca.certificate_pem(),
                    .client_certificate_pem = identity.chain_pem,
                    .client_key_pem = make_secret(std::string(identity.key_pem)),
                    .proxy_url = proxy_url});
  }
};

TEST_F(HttpClientProxyTest, HttpsGoesThroughATunnelThatDoesNotSeeTheRequest) {
  const PeerServer peer(echo_target(), {.tls = ca.issue({.names = {"vendor.example"}})});
  const PeerServer proxy([&](PeerConnection& connection) {
    if (connection.read_request() && connection.send("HTTP/1.1 200 OK\r\n\r\n")) connection.tunnel_to(peer.port());
  });
  HttpRequest request = get("https://vendor.example/v2/");
  request.headers.add("Authorization", "Bearer hunter2");
  const auto answer = send(request, through(proxy));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_TRUE(answer->peer.via_proxy);
  EXPECT_EQ(answer->peer.address, "127.0.0.1:" + std::to_string(proxy.port()));
  EXPECT_EQ(answer->peer.tls_version, "TLSv1.3");
  const PeerRequest connect = proxy.requests().at(0);
  EXPECT_EQ(connect.method, "CONNECT");
  EXPECT_EQ(connect.target, "vendor.example:443");
  EXPECT_THAT(connect.text, Not(HasSubstr("hunter2")));
  EXPECT_EQ(peer.requests().at(0).header("Authorization"), "Bearer hunter2");
}

TEST_F(HttpClientProxyTest, PlainHttpIsForwarded) {
  const PeerServer proxy(echo_target());
  const auto answer = send("http://vendor.example/a?b", through(proxy));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, "http://vendor.example/a?b");
}

TEST_F(HttpClientProxyTest, AProxyThatSpeaksTlsCarriesTheDestinationsTls) {
  const PeerServer peer(echo_target(),
                        {.tls = ca.issue({.names = {"vendor.example"}}), .client_ca_pem = ca.certificate_pem()});
  const PeerServer proxy(
      [&](PeerConnection& connection) {
        if (connection.read_request() && connection.send("HTTP/1.1 200 OK\r\n\r\n")) connection.tunnel_to(peer.port());
      },
      {.tls = ca.issue({.names = {"localhost"}})});
  const std::string proxy_url = "https://localhost:" + std::to_string(proxy.port());
  const auto answer = send("https://vendor.example/a", through_with_certificate(proxy_url));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, "/a");
  EXPECT_EQ(proxy.requests().at(0).target, "vendor.example:443");

  const auto wrong_name = send("https://other.example/a", through_with_certificate(proxy_url));
  ASSERT_THAT(wrong_name, failed_with("tls.hostname_mismatch", HttpStage::tls));
  EXPECT_EQ(wrong_name.error().error.field(), "/endpoint");
}

TEST_F(HttpClientProxyTest, TheClientCertificateIsForTheDestinationAlone) {
  const PeerServer proxy(echo_target(),
                         {.tls = ca.issue({.names = {"localhost"}}), .client_ca_pem = ca.certificate_pem()});
  const auto answer =
      send("https://vendor.example/", through_with_certificate("https://localhost:" + std::to_string(proxy.port())));
  ASSERT_THAT(answer, failed_with("tls.client_certificate_refused", HttpStage::tls));
  EXPECT_EQ(answer.error().error.field(), "/proxy");
  EXPECT_THAT(proxy.requests(), SizeIs(0));
}

TEST_F(HttpClientProxyTest, AProxyWithAWrongNameIsTheProxysFault) {
  const PeerServer proxy(echo_target(), {.tls = ca.issue({.names = {"other.example"}})});
  const auto answer = send("https://vendor.example/", through("https://localhost:" + std::to_string(proxy.port())));
  ASSERT_THAT(answer, failed_with("tls.hostname_mismatch", HttpStage::tls));
  EXPECT_EQ(answer.error().error.field(), "/proxy");
  EXPECT_THAT(answer.error().error.message(), HasSubstr("the proxy localhost"));
}

TEST_F(HttpClientProxyTest, ItsPasswordIsSentToTheProxyAlone) {
  const PeerServer peer(echo_target(), {.tls = ca.issue({.names = {"vendor.example"}})});
  const PeerServer proxy([&](PeerConnection& connection) {
    if (connection.read_request() && connection.send("HTTP/1.1 200 OK\r\n\r\n")) connection.tunnel_to(peer.port());
  });
  const auto with_password = [&](const std::string& password) {
    return profile({.ca_bundle_pem = ca.certificate_pem(),
                    .proxy_url = "http://127.0.0.1:" + std::to_string(proxy.port()),
                    .proxy_password = make_secret(std::string(password))});
  };
  ASSERT_THAT(send("https://vendor.example/", with_password("hub:pass:word")), answered_with(200));
  EXPECT_EQ(proxy.requests().at(0).header("Proxy-Authorization"), "Basic " + base64_encode("hub:pass:word"));
  EXPECT_EQ(peer.requests().at(0).header("Proxy-Authorization"), "");
  // Another identity at the proxy gets a tunnel of its own.
  ASSERT_THAT(send("https://vendor.example/", with_password("hub:other")), answered_with(200));
  EXPECT_THAT(proxy.requests(), SizeIs(2));
}

TEST_F(HttpClientProxyTest, ARefusedConnectNamesTheProxyAndItsAnswer) {
  const PeerServer proxy(scripts::answer([](const PeerRequest&) { return http_response(403, "no"); }));
  const auto answer = send("https://vendor.example/", through(proxy));
  ASSERT_THAT(answer, failed_with("connectivity.proxy_refused", HttpStage::proxy));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::unavailable);
  EXPECT_EQ(answer.error().error.field(), "/proxy");
  EXPECT_THAT(answer.error().error.message(), HasSubstr("403"));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("vendor.example:443"));
}

TEST_F(HttpClientProxyTest, AProxyThatWantsAPasswordSaysSo) {
  const PeerServer proxy(scripts::answer(
      [](const PeerRequest&) { return http_response(407, "", "Proxy-Authenticate: Basic realm=\"x\"\r\n"); }));
  const auto answer = send("https://vendor.example/", through(proxy));
  ASSERT_THAT(answer, failed_with("connectivity.proxy_refused", HttpStage::proxy));
  EXPECT_THAT(answer.error().error.remedy(), HasSubstr("user name and password"));
}

TEST_F(HttpClientProxyTest, AClosedProxyPortIsARefusingProxy) {
  const auto answer = send("https://vendor.example/", through("http://127.0.0.1:" + std::to_string(free_port())));
  ASSERT_THAT(answer, failed_with("connectivity.proxy_refused", HttpStage::tcp));
  EXPECT_EQ(answer.error().error.field(), "/proxy");
}

TEST_F(HttpClientProxyTest, AProxyThatHangsRunsIntoTheConnectTimeout) {
  const PeerServer proxy(scripts::hang());
  const auto answer =
      send("https://vendor.example/",
           profile({.proxy_url = "http://127.0.0.1:" + std::to_string(proxy.port()), .connect_timeout = kBrief}));
  ASSERT_THAT(answer, failed_with("connectivity.timeout", HttpStage::proxy));
  EXPECT_EQ(answer.error().error.field(), "/proxy");
}

TEST_F(HttpClientProxyTest, AProxyNameThatDoesNotExistIsTheProxysFault) {
  const auto answer = send("https://vendor.example/", through("http://no-such-proxy.invalid:3128"));
  ASSERT_THAT(answer, failed_with("connectivity.dns_not_found", HttpStage::dns));
  EXPECT_EQ(answer.error().error.field(), "/proxy");
}

TEST_F(HttpClientProxyTest, AProxyThatSpeaksSocksOnlyIsToldApart) {
  const PeerServer proxy([](PeerConnection& connection) {
    connection.send(std::string("\x05\xff", 2));  // no acceptable method
    connection.wait_until_closed();
  });
  EXPECT_THAT(send("https://vendor.example/", through("socks5h://127.0.0.1:" + std::to_string(proxy.port()))),
              failed_with("connectivity.proxy_refused", HttpStage::proxy));
}

TEST_F(HttpClientProxyTest, ItsOwnAddressIsChecked) {
  const PeerServer proxy(echo_target());
  make_client({});
  EXPECT_THAT(send("http://vendor.example/", through(proxy)),
              failed_with("connectivity.address_denied", HttpStage::tcp));
  EXPECT_EQ(proxy.connections_accepted(), 0U);
}

TEST_F(HttpClientProxyTest, AnAddressBehindItIsCheckedToo) {
  const PeerServer proxy(echo_target());
  for (const char* host : {"169.254.169.254", "::ffff:169.254.169.254", "10.0.0.1", "167772161", "0xa9.0xfe.0xa9.0xfe",
                           "169.254.169.254."}) {
    HttpRequest request = get("http://vendor.example/");
    request.url.host = host;  // also in forms that HttpUrl::parse() refuses
    EXPECT_THAT(send(request, through(proxy)), failed_with("connectivity.address_denied", HttpStage::tcp)) << host;
  }
  EXPECT_EQ(proxy.connections_accepted(), 0U);
}

TEST_F(HttpClientProxyTest, AnExemptHostIsReachedDirectly) {
  const PeerServer peer(echo_target());
  const PeerServer proxy(scripts::answer([](const PeerRequest&) { return http_response(502, ""); }));
  const auto answer =
      send(peer.url("/direct", "localhost"), profile({.proxy_url = "http://127.0.0.1:" + std::to_string(proxy.port()),
                                                      .no_proxy = {"example.com", "localhost"}}));
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_FALSE(answer->peer.via_proxy);
  EXPECT_EQ(proxy.connections_accepted(), 0U);
}

TEST_F(HttpClientProxyTest, AUrlThatIsNoProxyIsRefused) {
  for (const char* url :
       {"proxy.example:3128", "ftp://proxy.example", "http://user:hunter2@proxy.example", "http://p/x"}) {
    const auto answer = send("http://vendor.example/", through(std::string(url)));
    ASSERT_FALSE(answer) << url;
    EXPECT_EQ(answer.error().error.field(), "/proxy");
    EXPECT_EQ(answer.error().error.reason(), "connectivity.proxy_refused");
    EXPECT_THAT(answer.error().error.message(), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace inthub
