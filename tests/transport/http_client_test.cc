#include "transport/http_client.h"

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/process.h"
#include "transport/http_client_fixture.h"

namespace inthub {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing_support::free_port;
using testing_support::gzip;
using testing_support::http_response;
using testing_support::PeerConnection;
using testing_support::PeerRequest;
using testing_support::PeerServer;
namespace scripts = testing_support::scripts;

testing_support::Script echo_target() {
  return scripts::answer([](const PeerRequest& request) { return http_response(200, request.target); });
}

// --- what is sent and received
// ----------------------------------------------------------------------------------------

TEST_F(HttpClientTest, AnAnswerCarriesStatusHeadersBodyTimingsAndPeer) {
  const PeerServer peer(scripts::answer(
      [](const PeerRequest&) { return http_response(404, "nothing here", "X-One: 1\r\nX-Two:  2 \r\nX-One: 3\r\n"); }));
  const auto answer = send(peer.url("/v2/?n=1"));
  ASSERT_THAT(answer, answered_with(404));
  EXPECT_EQ(answer->body, "nothing here");
  EXPECT_THAT(answer->headers.find_all("x-one"), testing::ElementsAre("1", "3"));
  EXPECT_EQ(answer->headers.find("X-Two"), "2");
  EXPECT_EQ(answer->peer.address, "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_EQ(answer->peer.tls_version, "");
  EXPECT_FALSE(answer->peer.reused_connection);
  EXPECT_FALSE(answer->peer.via_proxy);
  EXPECT_GT(answer->timings.tcp.count(), 0);
  EXPECT_EQ(answer->timings.tls.count(), 0);
  EXPECT_GE(answer->timings.first_byte, answer->timings.tcp);
  EXPECT_GE(answer->timings.total, answer->timings.first_byte);
  EXPECT_EQ(peer.requests().at(0).target, "/v2/?n=1");
}

TEST_F(HttpClientTest, ARequestIsSentAsGiven) {
  const PeerServer peer(echo_target());
  HttpRequest request = get(peer.url("/a/../b/%2e?x=%20y"));
  request.method = "PATCH";
  request.headers.add("X-Empty", "");
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Accept", "application/vnd.oci.image.index.v1+json");
  request.body = std::string("{\"a\":\0 1}", 9);
  ASSERT_THAT(send(request), answered_with(200));
  const PeerRequest seen = peer.requests().at(0);
  EXPECT_EQ(seen.method, "PATCH");
  EXPECT_EQ(seen.target, "/a/../b/%2e?x=%20y");
  EXPECT_EQ(seen.body, request.body);
  EXPECT_THAT(seen.text, HasSubstr("X-Empty:"));
  EXPECT_EQ(seen.header("Content-Type"), "application/json");
  EXPECT_EQ(seen.header("Accept"), "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(seen.header("User-Agent"), "inthub-test");
  EXPECT_EQ(seen.header("Host"), "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_THAT(seen.text, Not(HasSubstr("Expect:")));
  EXPECT_THAT(seen.text, Not(HasSubstr("Accept-Encoding:")));
}

TEST_F(HttpClientTest, ALargeBodyIsSentWithoutWaitingForPermission) {
  const PeerServer peer(echo_target());
  HttpRequest request = get(peer.url());
  request.method = "POST";
  request.body = std::string(3 << 20, 'b');
  ASSERT_THAT(send(request), answered_with(200));
  EXPECT_EQ(peer.requests().at(0).body, request.body);
  EXPECT_THAT(peer.requests().at(0).text.substr(0, 1000), Not(HasSubstr("Content-Type")));
}

TEST_F(HttpClientTest, EveryMethodReachesThePeerWithTheRightFraming) {
  const PeerServer peer(scripts::answer([](const PeerRequest& request) {
    return request.method == "HEAD" ? std::string("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
                                    : http_response(200, "ok");
  }));
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    HttpRequest request = get(peer.url());
    request.method = method;
    const auto answer = send(request);
    ASSERT_THAT(answer, answered_with(200)) << method;
    EXPECT_EQ(answer->body, request.method == "HEAD" ? "" : "ok") << method;
    const PeerRequest seen = peer.requests().back();
    EXPECT_EQ(seen.method, method);
    const bool announces = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    EXPECT_EQ(seen.header("Content-Length"), announces ? "0" : "") << method;
  }
}

TEST_F(HttpClientTest, ARedirectIsAnAnswerAndNotFollowed) {
  const PeerServer peer(
      scripts::answer([](const PeerRequest&) { return http_response(302, "", "Location: /elsewhere\r\n"); }));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, answered_with(302));
  EXPECT_EQ(answer->headers.find("Location"), "/elsewhere");
  EXPECT_THAT(peer.requests(), SizeIs(1));
}

TEST_F(HttpClientTest, CookiesAreNotKept) {
  const PeerServer peer(
      scripts::answer([](const PeerRequest&) { return http_response(200, "", "Set-Cookie: a=b; Path=/\r\n"); }));
  ASSERT_THAT(send(peer.url()), answered_with(200));
  ASSERT_THAT(send(peer.url()), answered_with(200));
  EXPECT_EQ(peer.requests().at(1).header("Cookie"), "");
}

TEST_F(HttpClientTest, InterimAnswersAndTrailersAreNotPartOfTheHeaders) {
  const PeerServer peer(
      scripts::raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: t\r\n\r\n"));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, "abc");
  EXPECT_FALSE(answer->headers.find("Link"));
  EXPECT_FALSE(answer->headers.find("X-Trailer"));
}

TEST_F(HttpClientTest, TheProxyOfTheEnvironmentIsIgnored) {
  const PeerServer peer(echo_target());
  const std::string nowhere = "http://127.0.0.1:" + std::to_string(free_port());
  for (const char* name : {"http_proxy", "https_proxy", "ALL_PROXY"}) ::setenv(name, nowhere.c_str(), 1);
  const auto answer = send(peer.url());
  for (const char* name : {"http_proxy", "https_proxy", "ALL_PROXY"}) ::unsetenv(name);
  EXPECT_THAT(answer, answered_with(200));
}

struct BadRequest {
  std::string name;
  std::string method;
  Headers::Field field;
};
class UnwritableRequest : public HttpClientTest, public testing::WithParamInterface<BadRequest> {};
TEST_P(UnwritableRequest, IsRefusedBeforeAnythingIsSent) {
  const PeerServer peer(echo_target());
  HttpRequest request = get(peer.url());
  request.method = GetParam().method;
  request.headers.add(GetParam().field.first, GetParam().field.second);
  const auto answer = send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(answer.error().error.message(), Not(HasSubstr("hunter2")));
  EXPECT_EQ(peer.connections_accepted(), 0U);
}
INSTANTIATE_TEST_SUITE_P(Requests, UnwritableRequest,
                         testing::Values(BadRequest{"LineBreakInAValue", "GET", {"X-A", "hunter2\r\nX-B: c"}},
                                         BadRequest{"NulInAValue", "GET", {"X-A", std::string("a\0b", 3)}},
                                         BadRequest{"BlankInAName", "GET", {"X A", "b"}},
                                         BadRequest{"EmptyName", "GET", {"", "b"}},
                                         BadRequest{"ForeignFraming", "POST", {"Transfer-Encoding", "chunked"}},
                                         BadRequest{"ForeignLength", "POST", {"content-length", "5"}},
                                         BadRequest{"BlankInTheMethod", "GET /x HTTP/1.1\r\nX:", {"X-A", "b"}}),
                         [](const auto& test) { return test.param.name; });

// --- connections
// ------------------------------------------------------------------------------------------------------

TEST_F(HttpClientTest, AConnectionIsKeptAliveAndReused) {
  const PeerServer peer(echo_target());
  ASSERT_THAT(send(peer.url()), answered_with(200));
  const auto second = send(peer.url());
  ASSERT_THAT(second, answered_with(200));
  EXPECT_TRUE(second->peer.reused_connection);
  EXPECT_EQ(second->timings.dns.count(), 0);
  EXPECT_EQ(second->timings.tcp.count(), 0);
  EXPECT_EQ(peer.connections_accepted(), 1U);
}

TEST_F(HttpClientTest, PartitionsDoNotShareAConnection) {
  const PeerServer peer(echo_target());
  ASSERT_THAT(send(peer.url(), profile({.partition = "tenant-a"})), answered_with(200));
  ASSERT_THAT(send(peer.url(), profile({.partition = "tenant-b"})), answered_with(200));
  const auto again = send(peer.url(), profile({.partition = "tenant-a"}));
  ASSERT_THAT(again, answered_with(200));
  EXPECT_TRUE(again->peer.reused_connection);
  EXPECT_EQ(peer.connections_accepted(), 2U);
}

TEST_F(HttpClientTest, AnIdleConnectionIsClosedAfterTheIdleTimeout) {
  make_client({"loopback"}, {.idle_timeout = std::chrono::seconds(1)});
  const PeerServer peer(echo_target());
  ASSERT_THAT(send(peer.url()), answered_with(200));
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(HttpClientTest, IdleConnectionsBeyondTheLimitAreClosed) {
  make_client({"loopback"}, {.max_idle_connections = 2});
  const PeerServer peer(echo_target());
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(send(peer.url(), profile({.partition = "tenant-" + std::to_string(i)})), answered_with(200));
  }
  EXPECT_TRUE(peer.wait_for_closed(3));
}

using Outcome = std::expected<HttpResponse, HttpFailure>;

Task<void> send_into(Outcome& slot, HttpClient& client, HttpRequest request, TransportProfilePtr profile,
                     Deadline deadline) {
  slot = co_await client.send(std::move(request), std::move(profile), deadline);
}

/// Runs `count` requests at once on one context; their outcomes in order.
std::vector<Outcome> send_all(HttpClient& client, std::size_t count, const HttpRequest& request,
                              const TransportProfilePtr& profile, std::chrono::milliseconds limit) {
  std::vector<Outcome> outcomes(count);
  asio::io_context context(1);
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  for (Outcome& slot : outcomes) {
    asio::co_spawn(context.get_executor(), send_into(slot, client, request, profile, deadline),
                   [](const std::exception_ptr&) {});
  }
  context.run();
  return outcomes;
}

TEST_F(HttpClientTest, AHundredRequestsAtOnceAllSucceed) {
  const PeerServer peer(echo_target());
  const auto outcomes = send_all(*client, 100, get(peer.url()), profile(), kPlenty);
  for (const auto& outcome : outcomes) EXPECT_THAT(outcome, answered_with(200));
  EXPECT_THAT(peer.requests(), SizeIs(100));
  EXPECT_LE(peer.connections_accepted(), 100U);
}

TEST_F(HttpClientTest, RequestsBeyondTheLimitWaitForAConnection) {
  make_client({"loopback"}, {.max_connections = 3});
  const PeerServer peer(echo_target());
  const auto outcomes = send_all(*client, 30, get(peer.url()), profile(), kPlenty);
  for (const auto& outcome : outcomes) EXPECT_THAT(outcome, answered_with(200));
  EXPECT_LE(peer.connections_accepted(), 3U);
}

TEST_F(HttpClientTest, ARequestThatFindsNoConnectionInTimeFails) {
  make_client({"loopback"}, {.max_connections = 1});
  const PeerServer peer(scripts::hang());
  const auto outcomes = send_all(*client, 2, get(peer.url()), profile(), kBrief);
  EXPECT_THAT(outcomes.at(0), failed_with("http.timeout", HttpStage::http));
  // The second may get the connection that the first one gives up in the same moment.
  ASSERT_FALSE(outcomes.at(1));
  EXPECT_EQ(outcomes.at(1).error().error.code(), ErrorCode::deadline_exceeded);
}

TEST_F(HttpClientTest, ADeadKeptAliveConnectionIsReplacedForARepeatableRequest) {
  const PeerServer peer([](PeerConnection& connection) {
    if (connection.read_request()) connection.send(http_response(200, "once"));
    connection.read_request();  // and then closes, without an answer
  });
  ASSERT_THAT(send(peer.url()), answered_with(200));
  const auto second = send(peer.url());
  ASSERT_THAT(second, answered_with(200));
  EXPECT_EQ(peer.connections_accepted(), 2U);
  EXPECT_THAT(peer.requests(), SizeIs(3));
}

TEST_F(HttpClientTest, ADeadKeptAliveConnectionWithNoListenerBehindItIsRefused) {
  asio::io_context context(1);
  asio::ip::tcp::acceptor listener(context, {asio::ip::address_v4::loopback(), 0});
  const std::string url = "http://127.0.0.1:" + std::to_string(listener.local_endpoint().port()) + "/";
  const std::jthread peer([&] {
    asio::ip::tcp::socket connection = listener.accept();
    std::string heads;
    asio::read_until(connection, asio::dynamic_buffer(heads), "\r\n\r\n");
    asio::write(connection, asio::buffer(http_response(200, "once")));
    listener.close();
    heads.clear();
    asio::read_until(connection, asio::dynamic_buffer(heads), "\r\n\r\n");
  });
  ASSERT_THAT(send(url), answered_with(200));
  EXPECT_THAT(send(url), failed_with("connectivity.refused", HttpStage::tcp));
}

TEST_F(HttpClientTest, APostIsNeverSentTwice) {
  const PeerServer peer([](PeerConnection& connection) {
    if (connection.read_request()) connection.send(http_response(200, "once"));
    connection.read_request();
  });
  HttpRequest request = get(peer.url("/start-pipeline"));
  request.method = "POST";
  ASSERT_THAT(send(request), answered_with(200));
  const auto second = send(request);
  ASSERT_THAT(second, failed_with("http.connection_closed", HttpStage::http));
  EXPECT_THAT(second.error().error.message(), HasSubstr("POST was not repeated"));
  EXPECT_THAT(peer.requests(), SizeIs(2));
}

// --- cancellation and time
// --------------------------------------------------------------------------------------------

TEST_F(HttpClientTest, CancellingTheCallerClosesTheConnection) {
  const PeerServer peer(scripts::hang_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
  asio::io_context context(1);
  asio::cancellation_signal signal;
  std::exception_ptr ended;
  asio::co_spawn(context.get_executor(), client->send(get(peer.url()), profile(), Deadline::max()),
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](const std::exception_ptr& error, const Outcome&) { ended = error; }));
  while (peer.requests().empty()) context.run_one_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(peer.wait_for_closed(1, std::chrono::milliseconds(1)));
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(HttpClientTest, DestroyingTheClientEndsWhatIsInFlight) {
  const PeerServer peer(scripts::hang());
  asio::io_context context(1);
  Outcome outcome;
  asio::co_spawn(context.get_executor(), client->send(get(peer.url()), profile(), Deadline::max()),
                 [&](const std::exception_ptr&, Outcome value) { outcome = std::move(value); });
  while (peer.connections_accepted() == 0) context.run_one_for(std::chrono::milliseconds(1));
  client.reset();
  context.run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().error.code(), ErrorCode::cancelled);
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(HttpClientTest, AnExpiredDeadlineSendsNothing) {
  const PeerServer peer(echo_target());
  const auto answer = send(peer.url(), profile(), std::chrono::milliseconds(-1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code(), ErrorCode::deadline_exceeded);
  EXPECT_EQ(peer.connections_accepted(), 0U);
}

struct HangCase {
  std::string name;
  std::string beginning;
  std::string how_far;
};
class HangingPeer : public HttpClientTest, public testing::WithParamInterface<HangCase> {};
TEST_P(HangingPeer, RunsIntoTheDeadline) {
  const PeerServer peer(scripts::hang_after(GetParam().beginning));
  const auto answer = send(peer.url(), profile(), kBrief);
  ASSERT_THAT(answer, failed_with("http.timeout", HttpStage::http));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::deadline_exceeded);
  EXPECT_THAT(answer.error().error.message(), HasSubstr(GetParam().how_far));
  EXPECT_EQ(answer.error().peer.address, "127.0.0.1:" + std::to_string(peer.port()));
  EXPECT_GE(answer.error().timings.total, kBrief);
  EXPECT_TRUE(peer.wait_for_closed(1));
}
INSTANTIATE_TEST_SUITE_P(
    At, HangingPeer,
    testing::Values(HangCase{"TheStart", "", "sent nothing"},
                    HangCase{"TheHeaders", "HTTP/1.1 200 OK\r\nX-A: b\r\n", "stopped within the headers"},
                    HangCase{"TheBody", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "stopped after 3 bytes"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpClientTest, ASlowDripDoesNotProlongTheDeadline) {
  const PeerServer peer(scripts::slow_drip(std::chrono::milliseconds(20)));
  EXPECT_THAT(send(peer.url(), profile(), kBrief), failed_with("http.timeout", HttpStage::http));
}

TEST_F(HttpClientTest, APeerThatDoesNotAcceptRunsIntoTheConnectTimeout) {
  // The kernel drops connection attempts to a listener whose queue is full.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_LE(::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  const auto answer =
      send("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/", profile({.connect_timeout = kBrief}));
  for (const int filler : fillers) ::close(filler);
  ::close(listener);
  ASSERT_THAT(answer, failed_with("connectivity.timeout", HttpStage::tcp));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::deadline_exceeded);
  EXPECT_EQ(answer.error().error.field(), "/endpoint");
}

// --- failures of the connection
// ---------------------------------------------------------------------------------------

TEST_F(HttpClientTest, AClosedPortIsRefused) {
  const std::uint16_t port = free_port();
  const auto answer = send("http://127.0.0.1:" + std::to_string(port) + "/");
  ASSERT_THAT(answer, failed_with("connectivity.refused", HttpStage::tcp));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::unavailable);
  EXPECT_EQ(answer.error().error.field(), "/endpoint");
  EXPECT_THAT(answer.error().error.message(), HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(answer.error().error.remedy(), HasSubstr("endpoint"));
}

TEST_F(HttpClientTest, ANameThatDoesNotExistIsNotFound) {
  const auto answer = send("http://no-such-host.invalid/");
  ASSERT_THAT(answer, failed_with("connectivity.dns_not_found", HttpStage::dns));
  EXPECT_THAT(answer.error().error.message(), HasSubstr("no-such-host.invalid"));
}

TEST_F(HttpClientTest, AnAddressThatTcpCannotReachIsUnreachable) {
  EXPECT_THAT(send("http://127.255.255.255/"), failed_with("connectivity.unreachable", HttpStage::tcp));  // a broadcast
}

TEST_F(HttpClientTest, APeerThatClosesWithoutAnswerIsAClosedConnection) {
  const PeerServer peer(scripts::raw(""));
  EXPECT_THAT(send(peer.url()), failed_with("http.connection_closed", HttpStage::http));
}

TEST_F(HttpClientTest, ATruncatedBodyIsAClosedConnection) {
  const PeerServer peer(scripts::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_THAT(send(peer.url()), failed_with("http.connection_closed", HttpStage::http));
}

TEST_F(HttpClientTest, ATruncatedChunkedBodyIsAClosedConnection) {
  const PeerServer peer(scripts::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"));
  EXPECT_THAT(send(peer.url()), failed_with("http.connection_closed", HttpStage::http));
}

TEST_F(HttpClientTest, AResetIsAReset) {
  const PeerServer peer(scripts::reset_after_request());
  EXPECT_THAT(send(peer.url()), failed_with("connectivity.reset", HttpStage::http));
}

struct Malformed {
  std::string name;
  std::string response;
};
class MalformedAnswer : public HttpClientTest, public testing::WithParamInterface<Malformed> {};
TEST_P(MalformedAnswer, IsReportedAsSuch) {
  const PeerServer peer(scripts::raw(GetParam().response));
  HttpRequest request = get(peer.url());
  request.accept_compressed = true;
  const auto answer = send(request);
  ASSERT_THAT(answer, failed_with("http.malformed", HttpStage::http));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::vendor_failure);
}
INSTANTIATE_TEST_SUITE_P(
    Answers, MalformedAnswer,
    testing::Values(
        Malformed{"Garbage", "SSH-2.0-OpenSSH_9.2\r\n"}, Malformed{"Binary", std::string("\0\1\2\3\4\5", 6)},
        Malformed{"NegativeLength", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"},
        Malformed{"LengthNoNumber", "HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nabc"},
        Malformed{"BadChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"},
        Malformed{"NotGzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"},
        Malformed{"UnknownEncoding", "HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 3\r\n\r\nabc"}),
    [](const auto& test) { return test.param.name; });

// --- bounds
// -----------------------------------------------------------------------------------------------------------

TEST_F(HttpClientTest, ABodyOfExactlyTheLimitIsAccepted) {
  const PeerServer peer(scripts::answer([](const PeerRequest&) { return http_response(200, std::string(1000, 'x')); }));
  HttpRequest request = get(peer.url());
  request.max_body_bytes = 1000;
  ASSERT_THAT(send(request), answered_with(200));
  request.max_body_bytes = 999;
  EXPECT_THAT(send(request), failed_with("http.body_too_large", HttpStage::http));
}

TEST_F(HttpClientTest, AnEndlessBodyIsStopped) {
  const PeerServer peer(scripts::endless_body());
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, failed_with("http.body_too_large", HttpStage::http));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::vendor_failure);
  EXPECT_TRUE(peer.wait_for_closed(1));
}

TEST_F(HttpClientTest, EndlessHeadersAreStopped) {
  const PeerServer peer(scripts::endless_headers());
  EXPECT_THAT(send(peer.url()), failed_with("http.headers_too_large", HttpStage::http));
}

TEST_F(HttpClientTest, AnEndlessHeaderLineIsStopped) {
  const PeerServer peer(scripts::endless_header_line());
  EXPECT_THAT(send(peer.url()), failed_with("http.headers_too_large", HttpStage::http));
}

TEST_F(HttpClientTest, AGzipBombIsStoppedAfterDecoding) {
  const PeerServer peer(scripts::gzip_bomb(64 << 20));
  HttpRequest request = get(peer.url());
  request.accept_compressed = true;
  EXPECT_THAT(send(request), failed_with("http.body_too_large", HttpStage::http));
}

TEST_F(HttpClientTest, ACompressedAnswerIsDecodedWhenAskedFor) {
  const PeerServer peer(scripts::answer([](const PeerRequest& request) {
    return http_response(200, gzip("plain text of " + request.header("Accept-Encoding")), "Content-Encoding: gzip\r\n");
  }));
  HttpRequest request = get(peer.url());
  request.accept_compressed = true;
  const auto answer = send(request);
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, "plain text of gzip, deflate");
  EXPECT_FALSE(answer->headers.find("Content-Encoding"));
  EXPECT_FALSE(answer->headers.find("Content-Length"));
}

TEST_F(HttpClientTest, ACompressedAnswerThatNobodyAskedForIsVisibleAsSuch) {
  const std::string bytes = gzip("plain text");
  const PeerServer peer(
      scripts::answer([&](const PeerRequest&) { return http_response(200, bytes, "Content-Encoding: gzip\r\n"); }));
  const auto answer = send(peer.url());
  ASSERT_THAT(answer, answered_with(200));
  EXPECT_EQ(answer->body, bytes);
  EXPECT_EQ(answer->headers.find("Content-Encoding"), "gzip");
}

// --- addresses
// --------------------------------------------------------------------------------------------------------

class DeniedAddress : public HttpClientTest, public testing::WithParamInterface<std::pair<std::string, std::string>> {};
TEST_P(DeniedAddress, IsNotConnectedTo) {
  const PeerServer peer(echo_target());
  make_client({});
  const auto answer = send("http://" + GetParam().second + ":" + std::to_string(peer.port()) + "/");
  ASSERT_THAT(answer, failed_with("connectivity.address_denied", HttpStage::tcp));
  EXPECT_EQ(answer.error().error.code(), ErrorCode::unavailable);
  EXPECT_EQ(answer.error().error.field(), "/endpoint");
  EXPECT_EQ(peer.connections_accepted(), 0U);
}
INSTANTIATE_TEST_SUITE_P(Addresses, DeniedAddress,
                         testing::Values(std::pair{"Loopback", "127.0.0.1"}, std::pair{"LoopbackByName", "localhost"},
                                         std::pair{"LoopbackV6", "[::1]"}, std::pair{"Metadata", "169.254.169.254"},
                                         std::pair{"MappedLoopback", "[::ffff:127.0.0.1]"},
                                         std::pair{"MappedMetadata", "[::ffff:a9fe:a9fe]"},
                                         std::pair{"Private", "10.0.0.1"}, std::pair{"Unspecified", "0.0.0.0"}),
                         [](const auto& test) { return test.param.first; });

// --- metrics
// ----------------------------------------------------------------------------------------------------------

TEST_F(HttpClientTest, OutcomesConnectionsAndDurationsAreCounted) {
  const PeerServer peer(scripts::answer(
      [](const PeerRequest& request) { return http_response(request.target == "/ok" ? 200 : 503, ""); }));
  ASSERT_THAT(send(peer.url("/ok")), answered_with(200));
  ASSERT_THAT(send(peer.url("/broken")), answered_with(503));
  ASSERT_FALSE(send("http://127.0.0.1:" + std::to_string(free_port()) + "/"));
  const std::string exposed = metrics.expose();
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_requests_total{outcome=\"2xx\"} 1"));
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_requests_total{outcome=\"5xx\"} 1"));
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_requests_total{outcome=\"connectivity\"} 1"));
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_connections_opened_total 1"));
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_requests_in_flight 0"));
  EXPECT_THAT(exposed, HasSubstr("inthub_http_client_request_duration_seconds_count 3"));
}

}  // namespace
}  // namespace inthub
