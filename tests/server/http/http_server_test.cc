#include "server/http/http_server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "foundation/json.h"
#include "foundation/metrics.h"
#include "support/raw_client.h"

namespace inthub {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing_support::RawClient;

constexpr auto kPatience = 20s;  ///< how long a test waits for what must happen

/// A handler's meeting point with its test.
class Gate {
 public:
  enum class Event { started, finished, cancelled };

  void note(Event event) {
    const std::scoped_lock lock(mutex_);
    ++counts_[static_cast<std::size_t>(event)];
    changed_.notify_all();
  }
  /// False when it did not happen in time.
  bool wait_for(Event event, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return counts_[static_cast<std::size_t>(event)] >= times; });
  }
  int count(Event event) {
    const std::scoped_lock lock(mutex_);
    return counts_[static_cast<std::size_t>(event)];
  }
  OneShot<bool> opened;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<int, 3> counts_{};
};

/// Tells the gate how a handler ended, whichever way.
class GateVisit {
 public:
  explicit GateVisit(Gate& gate) : gate_(gate) { gate_.note(Gate::Event::started); }
  GateVisit(const GateVisit&) = delete;
  GateVisit& operator=(const GateVisit&) = delete;
  ~GateVisit() { gate_.note(finished ? Gate::Event::finished : Gate::Event::cancelled); }
  bool finished = false;

 private:
  Gate& gate_;
};

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

Principal with(Permission permission) {
  Principal principal;
  principal.permission = permission;
  return principal;
}

class HttpServerTest : public testing::Test {
 protected:
  static constexpr std::size_t kBigBody = std::size_t{16} << 20;

  void TearDown() override {
    gate_.opened.set(true);
    if (server_) server_->stop(0ms);
  }

  HttpServer& start(const HttpServer::Options& options = {}) {
    auto server = HttpServer::listen(
        options, routes(),
        [](std::string_view authorization) -> Result<Principal> {
          if (authorization == "Bearer throw") throw std::runtime_error("authentication is broken");
          if (authorization == "Bearer reader") return with(Permission::read);
          if (authorization == "Bearer admin") return with(Permission::admin);
          return fail(ErrorCode::unauthenticated, "a valid token is needed");
        },
        metrics_);
    if (!server) throw std::runtime_error(server.error().message());
    server_ = std::move(*server);
    server_->start();
    return *server_;
  }

  std::string get(std::string_view path, std::string_view fields = {}) {
    RawClient client(server_->port());
    client.send(request("GET", path, fields));
    return client.read_answer();
  }

  static std::string request(std::string_view method, std::string_view path, std::string_view fields = {},
                             std::string_view body = {}) {
    std::string text =
        std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: hub\r\n" + std::string(fields);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + std::string(body);
  }

  static Json body_of(const std::string& answer) {
    return Json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, false);
  }

  /// Waits until the exposed metrics contain `text`: the last step of a connection's end happens after the client has
  /// seen it.
  bool metrics_come_to_contain(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (metrics_.expose().contains(text)) return true;
      std::this_thread::yield();
    }
    return false;
  }

  Router routes() {
    Router router;
    const auto add = [&](std::string method, std::string path, Handler handler,
                         std::optional<Permission> needs = std::nullopt, bool takes_body = false) {
      router.add({.method = std::move(method),
                  .path = std::move(path),
                  .needs = needs,
                  .handler = std::move(handler),
                  .takes_body = takes_body});
    };
    add("GET", "/hello", [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 200, "\"hello\""); });
    add("GET", "/items/{id}",
        [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 200, json_text(r.parameters.at(0))); });
    add(
        "POST", "/echo", [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 200, json_text(r.body)); },
        std::nullopt, true);
    add("POST", "/action",
        [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 202, json_text(r.body)); });
    add("GET", "/request", [](ServerRequest& r) -> Task<ServerResponse> {
      co_return success(r, 200,
                        "{\"traceId\":" + json_text(r.trace_id) + ",\"query\":" + json_text(r.query) +
                            ",\"peer\":" + json_text(r.peer_address) +
                            ",\"agent\":" + json_text(r.header("User-Agent").value_or("none")) + "}");
    });
    add("GET", "/yield", [](ServerRequest& r) -> Task<ServerResponse> {
      co_await yield_to_context();
      co_return success(r, 200, "\"later\"");
    });
    add("GET", "/throws", [](ServerRequest&) -> Task<ServerResponse> {
      throw std::runtime_error("a bug");
      co_return ServerResponse{};
    });
    add("GET", "/throws-later", [](ServerRequest&) -> Task<ServerResponse> {
      co_await yield_to_context();
      throw std::runtime_error("a bug");
    });
    add(
        "GET", "/secure", [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 200, "1"); },
        Permission::read);
    add(
        "PUT", "/admin", [](ServerRequest& r) -> Task<ServerResponse> { co_return success(r, 200, "1"); },
        Permission::admin, true);
    add("GET", "/big", [](ServerRequest&) -> Task<ServerResponse> {
      co_return ServerResponse{.content_type = "text/plain", .headers = {}, .body = std::string(kBigBody, 'b')};
    });
    add("GET", "/no-content", [](ServerRequest&) -> Task<ServerResponse> {
      co_return ServerResponse{.status = 204, .headers = {{"ETag", "\"1\""}}, .body = "ignored"};
    });
    add("GET", "/odd-fields", [](ServerRequest&) -> Task<ServerResponse> {
      co_return ServerResponse{.headers = {{"X-Vendor", "a\r\nSet-Cookie: b"}, {"Cache-Control", "max-age=5"}},
                               .body = "{}"};
    });
    add("GET", "/gate", [this](ServerRequest& r) { return through_the_gate(r); });
    add("GET", "/stubborn", [this](ServerRequest& r) { return through_the_gate_stubbornly(r); });
    return router;
  }

  Task<ServerResponse> through_the_gate(ServerRequest& request) {
    GateVisit visit(gate_);
    const auto opened = co_await gate_.opened.wait(Deadline::max());
    visit.finished = opened.has_value();
    co_return success(request, 200, "\"through\"");
  }
  /// Waits where no cancellation reaches it.
  Task<ServerResponse> through_the_gate_stubbornly(ServerRequest& request) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_return co_await through_the_gate(request);
  }

  Metrics metrics_;
  Gate gate_;
  std::unique_ptr<HttpServer> server_;
};

// --------------------------------------------------------------------------------------------------- ordinary service

TEST_F(HttpServerTest, EveryAnswerHasTheStandardFields) {
  start();
  for (const char* path : {"/hello", "/nowhere", "/throws", "/secure"}) {
    const std::string answer = get(path);
    EXPECT_THAT(answer,
                ContainsRegex("\r\nDate: [A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] [0-9:]* GMT\r\n"))
        << path;
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: application/json\r\n")) << path;
    EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n")) << path;
    EXPECT_THAT(answer, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n")) << path;
    EXPECT_THAT(answer, ContainsRegex("\r\nX-Request-Id: [-0-9a-f]*\r\n")) << path;
    EXPECT_EQ(body_of(answer)["success"], answer.contains(" 200 OK")) << path;
  }
}

TEST_F(HttpServerTest, AUsableRequestIdIsEchoedAndAnyOtherReplaced) {
  start();
  EXPECT_THAT(get("/hello", "X-Request-Id: build-7.a_b\r\n"), HasSubstr("\r\nX-Request-Id: build-7.a_b\r\n"));
  EXPECT_EQ(body_of(get("/hello", "X-Request-Id: build-7\r\n"))["meta"]["requestId"], "build-7");
  for (const std::string& bad : {std::string("a b"), std::string("a\"b"), std::string(), std::string(129, 'a')}) {
    EXPECT_THAT(get("/hello", "X-Request-Id: " + bad + "\r\n"),
                ContainsRegex("\r\nX-Request-Id: ........-....-7...-....-............\r\n"));
  }
}

TEST_F(HttpServerTest, TheTraceIdComesFromTraceparentOrIsFresh) {
  start();
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const auto trace_id = [&](const std::string& parent) {
    return body_of(get("/request", "traceparent: " + parent + "\r\n"))["data"]["traceId"].get<std::string>();
  };
  EXPECT_EQ(trace_id("00-" + id + "-00f067aa0ba902b7-01"), id);
  EXPECT_EQ(trace_id("01-" + id + "-00f067aa0ba902b7-01-more"), id);
  for (const std::string& bad :
       {"00-" + id + "-00f067aa0ba902b7-01-more", "ff-" + id + "-00f067aa0ba902b7-01",
        "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01", "00-" + id + "-0000000000000000-01",
        "00-" + id + "-00f067aa0ba902b7-0X", std::string("nonsense")}) {
    EXPECT_NE(trace_id(bad), id) << bad;
    EXPECT_THAT(trace_id(bad), testing::MatchesRegex("[0-9a-f]*")) << bad;
    EXPECT_EQ(trace_id(bad).size(), 32U) << bad;
  }
}

TEST_F(HttpServerTest, TheHandlerSeesQueryPeerAndFields) {
  start();
  const Json data = body_of(get("/request?a=%20&b", "user-agent: test\r\n"))["data"];
  EXPECT_EQ(data["query"], "a=%20&b");
  EXPECT_EQ(data["peer"], "127.0.0.1");
  EXPECT_EQ(data["agent"], "test");
}

TEST_F(HttpServerTest, AConnectionServesRequestAfterRequest) {
  start();
  RawClient client(server_->port());
  for (int i = 0; i < 300; ++i) {
    const std::string id = std::to_string(i);
    client.send(request("GET", "/items/" + id));
    ASSERT_EQ(body_of(client.read_answer())["data"], id);
    client.send(request("POST", "/echo", "Content-Type: application/json\r\n", "body " + id));
    ASSERT_EQ(body_of(client.read_answer())["data"], "body " + id);
    client.send(request("GET", "/yield"));
    ASSERT_EQ(body_of(client.read_answer())["data"], "later");
  }
}

TEST_F(HttpServerTest, ARequestMayArriveByteByByte) {
  start();
  RawClient client(server_->port());
  const std::string text =
      request("POST", "/echo", "Content-Type: application/json\r\n", "slow") + request("GET", "/hello");
  for (const char c : text) client.send(std::string_view(&c, 1));
  EXPECT_EQ(body_of(client.read_answer())["data"], "slow");
  EXPECT_EQ(body_of(client.read_answer())["data"], "hello");
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  RawClient client(server_->port());
  std::string text;
  constexpr int kRequests = 1000;  // much more than the receive buffer holds
  for (int i = 0; i < kRequests; ++i) {
    text += i % 3 == 0 ? request("POST", "/echo", "Content-Type: application/json\r\n", std::to_string(i))
                       : request("GET", i % 3 == 1 ? "/yield" : "/items/" + std::to_string(i));
  }
  std::thread sender([&] { client.send(text); });
  for (int i = 0; i < kRequests; ++i) {
    const std::string answer = client.read_answer();
    EXPECT_EQ(body_of(answer)["data"], i % 3 == 1 ? "later" : std::to_string(i)) << answer;
    if (HasFailure()) break;
  }
  sender.join();
}

TEST_F(HttpServerTest, AnAnswerDoesNotWaitForTheNextPipelinedHandler) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/hello") + request("GET", "/gate") + request("GET", "/items/3"));
  EXPECT_EQ(body_of(client.read_answer())["data"], "hello");
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  gate_.opened.set(true);
  EXPECT_EQ(body_of(client.read_answer())["data"], "through");
  EXPECT_EQ(body_of(client.read_answer())["data"], "3");
}

TEST_F(HttpServerTest, HeadIsAnsweredLikeGetWithoutTheBody) {
  start();
  RawClient client(server_->port());
  client.send(request("HEAD", "/hello") + request("GET", "/hello"));
  const std::string head = client.read_answer(false);
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  const std::string full = client.read_answer();
  EXPECT_THAT(full, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: " + std::to_string(full.size() - full.find("\r\n\r\n") - 4) + "\r\n"));
}

TEST_F(HttpServerTest, ARefusalBehindAHeadHasItsBody) {
  start();
  RawClient client(server_->port());
  client.send(request("HEAD", "/hello"));
  client.read_answer(false);
  client.send("nonsense\r\n\r\n");
  EXPECT_EQ(body_of(client.read_to_end())["error"]["reason"], "http.malformed");
}

TEST_F(HttpServerTest, ConnectionCloseIsHonoured) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/hello", "Connection: close\r\n"));
  EXPECT_THAT(client.read_to_end(), HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(client.is_at_end());
}

TEST_F(HttpServerTest, Http10ClosesUnlessAskedToKeepTheConnection) {
  start();
  RawClient once(server_->port());
  once.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(once.read_to_end(), HasSubstr("\r\nConnection: close\r\n"));
  RawClient kept(server_->port());
  kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(kept.read_answer(), HasSubstr("\r\nConnection: keep-alive\r\n"));
  kept.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(kept.read_to_end(), HasSubstr("\"hello\""));
}

TEST_F(HttpServerTest, AChunkedBodyIsJoinedAndTheNextRequestFound) {
  start();
  RawClient client(server_->port());
  client.send(request("POST", "/echo", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") +
              "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n" + request("GET", "/hello"));
  EXPECT_EQ(body_of(client.read_answer())["data"], "abcde");
  EXPECT_EQ(body_of(client.read_answer())["data"], "hello");
}

TEST_F(HttpServerTest, ALargeBodyAndALargeHeadAreTaken) {
  start();
  RawClient client(server_->port());
  const std::string body(900'000, 'x');
  const std::string fields = "Content-Type: application/json\r\nX-Large: " + std::string(30'000, 'y') + "\r\n";
  for (int i = 0; i < 3; ++i) {
    client.send(request("POST", "/echo", fields, body));
    EXPECT_EQ(body_of(client.read_answer())["data"], body);
  }
}

TEST_F(HttpServerTest, AnAnswerLargerThanTheSocketTakesArrivesWhole) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/big") + request("GET", "/hello"));
  const std::string answer = client.read_answer();
  EXPECT_THAT(answer.substr(0, 200), HasSubstr("\r\nContent-Length: " + std::to_string(kBigBody) + "\r\n"));
  EXPECT_EQ(answer.size(), answer.find("\r\n\r\n") + 4 + kBigBody);
  EXPECT_EQ(body_of(client.read_answer())["data"], "hello");
}

TEST_F(HttpServerTest, NoContentHasNoBodyAndNoLength) {
  start();
  const std::string answer = get("/no-content", "Connection: close\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(answer, Not(HasSubstr("ignored")));
}

TEST_F(HttpServerTest, AFieldsValueCannotStartAnotherField) {
  start();
  const std::string answer = get("/odd-fields");
  EXPECT_THAT(answer, HasSubstr("\r\nX-Vendor: a  Set-Cookie: b\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: max-age=5\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("no-store")));
}

TEST_F(HttpServerTest, TwoHundredConnectionsAreServedAtOnce) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    clients.back()->send(request("GET", "/gate"));
  }
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started, 200));
  for (const auto& client : clients) client->send(request("GET", "/yield"));
  // A OneShot wakes one waiter, so the others leave when their clients do.
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i]->reset();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled, 100));
  for (std::size_t i = 1; i < clients.size(); i += 2) clients[i]->close();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled, 200));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_connections 0"));
}

// ----------------------------------------------------------------------------------------------------------- refusals

struct Refused {
  std::string name;
  std::string text;
  std::string status_line;
  std::string reason;
};

class HttpServerRefusal : public HttpServerTest, public testing::WithParamInterface<Refused> {};

TEST_P(HttpServerRefusal, IsAnsweredAndTheConnectionCloses) {
  start({.max_header_bytes = 4096, .max_body_bytes = 1000});
  RawClient client(server_->port());
  client.send(GetParam().text);
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(client.is_at_end());
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + GetParam().status_line + "\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(body_of(answer)["success"], false);
  EXPECT_EQ(body_of(answer)["error"].value("reason", body_of(answer)["error"].value("code", "")), GetParam().reason)
      << answer;
}

std::string post_echo(std::string_view fields, std::string_view body = {}) {
  return "POST /echo HTTP/1.1\r\nHost: hub\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, HttpServerRefusal,
    testing::Values(
        Refused{"Nonsense", "\x16\x03\x01\r\n\r\n", "400 Bad Request", "http.malformed"},
        Refused{"OtherVersion", "GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported", "http.version"},
        Refused{"OtherCoding", post_echo("Transfer-Encoding: gzip\r\n"), "501 Not Implemented",
                "http.transfer_encoding"},
        Refused{"LengthAndCoding", post_echo("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                "400 Bad Request", "http.message_length"},
        Refused{"FoldedField", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "400 Bad Request", "http.folded_field"},
        Refused{"LongHead", "GET /hello HTTP/1.1\r\nX-A: " + std::string(8000, 'a') + "\r\n\r\n",
                "431 Request Header Fields Too Large", "http.header_too_large"},
        Refused{"EndlessHead", "GET /" + std::string(4096, 'a'), "431 Request Header Fields Too Large",
                "http.header_too_large"},
        Refused{"LongBodyBeforeItIsSent", post_echo("Content-Length: 1001\r\nExpect: 100-continue\r\n"),
                "413 Content Too Large", "http.body_too_large"},
        Refused{"LongBodyAlreadySent", post_echo("Content-Length: 400000\r\n", std::string(400'000, 'a')),
                "413 Content Too Large", "http.body_too_large"},
        Refused{"LongBodyInChunks",
                post_echo("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
                          "3e8\r\n" + std::string(1000, 'a') + "\r\n1\r\nb\r\n0\r\n\r\n"),
                "413 Content Too Large", "http.body_too_large"},
        Refused{"BadChunk", post_echo("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "zz\r\n"),
                "400 Bad Request", "http.malformed_chunk"},
        Refused{"OtherExpectation", post_echo("Expect: tea\r\n"), "417 Expectation Failed", "http.expectation"},
        Refused{"NotJson", post_echo("Content-Type: text/plain\r\nContent-Length: 1\r\n", "a"),
                "415 Unsupported Media Type", "http.content_type"},
        Refused{"NoContentType", post_echo("Content-Length: 1\r\n", "a"), "415 Unsupported Media Type",
                "http.content_type"},
        Refused{"UnauthenticatedBeforeItsBodyIsRead", "PUT /admin HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
                "401 Unauthorized", "unauthenticated"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpServerTest, UnknownPathsMethodsAndEscapesAreToldApart) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/nowhere") + request("DELETE", "/hello") + request("GET", "/items/%zz") +
              request("GET", "/hello"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  const std::string not_allowed = client.read_answer();
  EXPECT_THAT(not_allowed, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(not_allowed, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n")) << "the connection outlives such answers";
}

TEST_F(HttpServerTest, RoutesThatNeedAPermissionAskForIt) {
  start();
  const std::string anonymous = get("/secure");
  EXPECT_THAT(anonymous, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_THAT(anonymous, HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
  EXPECT_THAT(get("/secure", "Authorization: Bearer reader\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  RawClient client(server_->port());
  client.send(request("PUT", "/admin", "Authorization: Bearer reader\r\n"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  client.send(request("PUT", "/admin", "Authorization: Bearer admin\r\n"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get("/secure", "Authorization: Bearer throw\r\n"), StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
}

TEST_F(HttpServerTest, JsonWithParametersIsJson) {
  start();
  RawClient client(server_->port());
  client.send(request("POST", "/echo", "Content-Type: Application/JSON; charset=utf-8\r\n", "a"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.send(request("POST", "/echo"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n")) << "without a body no type is needed";
  client.send(request("POST", "/action", "Content-Type: text/plain\r\n", "a"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 202 Accepted\r\n"))
      << "a route that takes no body does not look at it";
}

TEST_F(HttpServerTest, ABodyIsInvitedOnlyWhenItWillBeTaken) {
  start();
  RawClient client(server_->port());
  client.send(
      request("POST", "/echo", "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_EQ(client.read_answer(false), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_EQ(body_of(client.read_answer())["data"], "body");
  client.send(request("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 415"));
}

TEST_F(HttpServerTest, AHandlersExceptionIsA500AndHarmsNobodyElse) {
  start();
  RawClient client(server_->port());
  for (const char* path : {"/throws", "/throws-later"}) {
    client.send(request("GET", path, "X-Request-Id: oops-1\r\n"));
    const std::string answer = client.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
    EXPECT_THAT(answer, HasSubstr("oops-1"));
    EXPECT_THAT(answer, Not(HasSubstr("a bug")));
  }
  client.send(request("GET", "/hello"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, TooManyConnectionsAreToldSo) {
  start({.workers = 1, .max_connections = 2});
  RawClient first(server_->port());
  auto second = std::make_unique<RawClient>(server_->port());
  for (RawClient* client : {&first, second.get()}) {
    client->send(request("GET", "/hello"));
    EXPECT_THAT(client->read_answer(), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  RawClient third(server_->port());
  const std::string answer = third.read_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_TRUE(third.is_at_end());
  second.reset();
  ASSERT_TRUE(metrics_come_to_contain("inthub_http_connections 1"));
  EXPECT_THAT(get("/hello"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

// ----------------------------------------------------------------------------------------------------------- deadlines

TEST_F(HttpServerTest, ASlowHeadIsA408) {
  start({.header_timeout = 100ms});
  RawClient client(server_->port());
  client.send("GET /hello HTTP/1.1\r\nHost:");
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_TRUE(client.is_at_end());
}

TEST_F(HttpServerTest, AHeadThatKeepsTricklingIsA408) {
  start({.header_timeout = 300ms});
  RawClient client(server_->port());
  std::atomic<bool> answered = false;
  std::thread trickle([&] {
    client.send("GET /hello HTTP/1.1\r\n");
    while (!answered) {
      client.send("X-A: b\r\n");
      std::this_thread::sleep_for(20ms);  // the client's slowness, which is what is tested
    }
  });
  EXPECT_THAT(client.read_answer(), ContainsRegex("HTTP/1.1 (408|431)"));
  answered = true;
  trickle.join();
}

TEST_F(HttpServerTest, ASlowBodyIsA408) {
  start({.body_timeout = 100ms});
  RawClient client(server_->port());
  client.send(request("POST", "/echo", "Content-Type: application/json\r\nContent-Length: 5\r\n") + "ab");
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
}

TEST_F(HttpServerTest, AnIdleConnectionClosesWithoutAWord) {
  start({.idle_timeout = 100ms});
  RawClient silent(server_->port());
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_TRUE(silent.is_at_end());
  RawClient used(server_->port());
  used.send(request("GET", "/hello"));
  EXPECT_THAT(used.read_answer(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(used.read_to_end(), "");
  EXPECT_TRUE(used.is_at_end());
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsDropped) {
  start({.write_timeout = 100ms});
  RawClient client(server_->port(), 4096);
  client.send(request("GET", "/big"));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_requests_total{method=\"GET\",route=\"/big\",status=\"2xx\"} 1"));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_connections 0"));
}

TEST_F(HttpServerTest, AHandlerThatOverstaysItsDeadlineIsCancelled) {
  start({.request_timeout = 100ms});
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 504 Gateway Timeout\r\n"));
  EXPECT_EQ(gate_.count(Gate::Event::cancelled), 1);
}

// ------------------------------------------------------------------------------------------------- clients that go
// away

TEST_F(HttpServerTest, AResetCancelsTheHandler) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  client.reset();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_requests_total{method=\"GET\",route=\"/gate\",status=\"4xx\"} 1"));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_connections 0"));
}

TEST_F(HttpServerTest, AClientThatClosesCancelsTheHandler) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  client.close();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled));
}

TEST_F(HttpServerTest, AClientThatClosesRightBehindItsRequestCancelsTheHandler) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  client.close();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled));
}

TEST_F(HttpServerTest, AClientThatOnlyStopsSendingGetsItsAnswer) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  client.shutdown_send();
  EXPECT_EQ(client.read_answer(false), "HTTP/1.1 102 Processing\r\n\r\n");
  gate_.opened.set(true);
  EXPECT_THAT(client.read_to_end(), HasSubstr("\"through\""));
  EXPECT_TRUE(client.is_at_end());
  EXPECT_EQ(gate_.count(Gate::Event::finished), 1);
}

TEST_F(HttpServerTest, AClientThatStopsSendingAndThenLeavesCancelsTheHandler) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  client.shutdown_send();
  EXPECT_EQ(client.read_answer(false), "HTTP/1.1 102 Processing\r\n\r\n");
  client.reset();
  EXPECT_TRUE(gate_.wait_for(Gate::Event::cancelled));
}

TEST_F(HttpServerTest, APipelineFollowedByTheEndOfTheStreamIsAnsweredWhole) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/yield") + request("GET", "/hello") + "GET /unfinished");
  client.shutdown_send();
  const std::string answers = client.read_to_end();
  EXPECT_THAT(answers, HasSubstr("\"later\""));
  EXPECT_THAT(answers, HasSubstr("\"hello\""));
  EXPECT_TRUE(client.is_at_end());
}

TEST_F(HttpServerTest, AnHttp10ClientIsNotSentAnInterimAnswer) {
  start();
  RawClient client(server_->port());
  client.send("GET /gate HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  client.shutdown_send();
  gate_.opened.set(true);
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

// --------------------------------------------------------------------------------------------------------------
// stopping

TEST_F(HttpServerTest, StoppingLetsARunningRequestFinishAndClosesIdleConnections) {
  start({.workers = 1});  // so that the idle connection's end tells that the busy one's worker drains as well
  RawClient idle(server_->port());
  idle.send(request("GET", "/hello"));
  idle.read_answer();
  RawClient busy(server_->port());
  busy.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  const std::uint16_t port = server_->port();
  std::thread stopper([&] { server_->stop(kPatience); });
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_TRUE(idle.is_at_end());
  gate_.opened.set(true);
  const std::string answer = busy.read_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  busy.close();
  stopper.join();
  EXPECT_EQ(gate_.count(Gate::Event::finished), 1);
  EXPECT_THROW(RawClient{port}, std::runtime_error);
}

TEST_F(HttpServerTest, AfterTheDrainRunningHandlersAreCancelled) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  server_->stop(10ms);
  EXPECT_EQ(gate_.count(Gate::Event::cancelled), 1);
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_F(HttpServerTest, StoppingEndsInSpiteOfStubbornHandlersAndStalledClients) {
  start();
  RawClient stubborn(server_->port());
  stubborn.send(request("GET", "/stubborn"));
  RawClient deaf(server_->port(), 4096);
  deaf.send(request("GET", "/big"));
  RawClient slow(server_->port());
  slow.send("GET /hel");
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  server_->stop(10ms);
  server_->stop(10ms);  // again: nothing to do
  server_.reset();
  EXPECT_EQ(gate_.count(Gate::Event::cancelled), 1) << "its coroutine was destroyed";
}

TEST_F(HttpServerTest, AServerThatNeverStartedStops) {
  auto server = HttpServer::listen({}, routes(), {}, metrics_);
  ASSERT_TRUE(server);
  (*server)->stop(0ms);
}

// ------------------------------------------------------------------------------------------------- listening and
// metrics

TEST_F(HttpServerTest, APortInUseIsReportedWithItsReason) {
  start();
  const auto second = HttpServer::listen({.port = server_->port()}, routes(), {}, metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(second.error().message(),
              HasSubstr("127.0.0.1 port " + std::to_string(server_->port()) + ": Address already in use"));
}

TEST_F(HttpServerTest, OnlyIpAddressesAreListenedOn) {
  const auto server = HttpServer::listen({.host = "hub.example"}, routes(), {}, metrics_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), ErrorCode::invalid_argument);
}

TEST_F(HttpServerTest, TheAddressIsAUrl) {
  start();
  EXPECT_EQ(server_->address(), "http://127.0.0.1:" + std::to_string(server_->port()));
}

TEST_F(HttpServerTest, ARestartFindsItsPortFree) {
  const std::uint16_t port = start().port();
  get("/hello", "Connection: close\r\n");
  server_->stop(0ms);
  server_.reset();
  start({.port = port});
  EXPECT_EQ(server_->port(), port);
  EXPECT_THAT(get("/hello"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, RequestsAreCountedByRouteAndClassOfStatus) {
  start();
  RawClient client(server_->port());
  client.send(request("GET", "/items/1") + request("GET", "/items/2") + request("GET", "/nowhere") +
              request("GET", "/gate"));
  ASSERT_TRUE(gate_.wait_for(Gate::Event::started));
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_requests_in_flight 1"));
  const std::string text = metrics_.expose();
  EXPECT_THAT(text, HasSubstr("inthub_http_requests_total{method=\"GET\",route=\"/items/{id}\",status=\"2xx\"} 2"));
  EXPECT_THAT(text, HasSubstr("inthub_http_requests_total{method=\"none\",route=\"none\",status=\"4xx\"} 1"));
  EXPECT_THAT(text, HasSubstr("inthub_http_request_duration_seconds_count{method=\"GET\",route=\"/items/{id}\"} 2"));
  EXPECT_THAT(text, HasSubstr("inthub_http_connections 1"));
  gate_.opened.set(true);
  EXPECT_TRUE(metrics_come_to_contain("inthub_http_requests_in_flight 0"));
}

}  // namespace
}  // namespace inthub
