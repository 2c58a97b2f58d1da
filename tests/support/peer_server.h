#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/test_ca.h"

namespace inthub::testing_support {

/// A request as it came over the wire.
struct PeerRequest {
  std::string text;  ///< head and body, byte for byte
  std::string method;
  std::string target;  ///< "/v2/", or "host:port" of a CONNECT
  std::string body;

  /// The first value of a header, names compared without case; "" when absent.
  std::string header(std::string_view name) const;
};

/// One connection, as its script sees it. Calls block; every call returns at once when the server stops.
class PeerConnection {
 public:
  virtual ~PeerConnection() = default;
  /// The next request (body by Content-Length); nothing when the client closed the connection. Recorded by the server.
  virtual std::optional<PeerRequest> read_request() = 0;
  /// False when the client is gone.
  virtual bool send(std::string_view bytes) = 0;
  /// Waits until the client closes the connection; what it sends meanwhile is discarded.
  virtual void wait_until_closed() = 0;
  /// Waits until PeerServer::release() was called once more than this has returned, or the server stops.
  virtual void wait_until_released() = 0;
  /// Pauses; false when the server stops meanwhile. For slow peers, never for synchronisation.
  virtual bool pause(std::chrono::milliseconds length) = 0;
  /// Closes with a TCP reset instead of an orderly end.
  virtual void reset() = 0;
  /// Connects to 127.0.0.1:`port` and copies bytes both ways until one side closes: the inside of a CONNECT proxy.
  virtual void tunnel_to(std::uint16_t port) = 0;
};

/// What happens on each accepted connection. Called on a thread of its own per connection; when it returns, the server
/// closes the connection.
using Script = std::function<void(PeerConnection&)>;
/// Makes a raw answer, see http_response(). Called from several threads at once.
using Handler = std::function<std::string(const PeerRequest&)>;

/// "HTTP/1.1 200 OK" with Content-Length and the body. `extra_headers` are whole lines, each ended by "\r\n".
std::string http_response(int status, std::string_view body, std::string_view extra_headers = {});
/// gzip of `bytes`.
std::string gzip(std::string_view bytes);

namespace scripts {
Script answer(Handler handler);            ///< ordinary HTTP/1.1 with keep-alive
Script raw(std::string response);          ///< reads a request, sends exactly these bytes, closes
Script hang();                             ///< accepts, never sends a byte (as a plain server: hangs in TLS as well)
Script hang_after(std::string beginning);  ///< reads a request, sends this much of an answer, then nothing more
Script close_at_once();                    ///< closes after accepting
Script reset_after_request();              ///< reads a request, then sends a TCP reset
Script endless_body();                     ///< a chunked body without end
Script endless_headers();                  ///< header lines without end
Script endless_header_line();              ///< one header line without end
Script slow_drip(std::chrono::milliseconds pause);  ///< an answer's body, one byte per pause, without end
Script gzip_bomb(std::size_t plain_bytes);          ///< zeros, about 1,000 times smaller on the wire
/// A proxy: sends CONNECTs on to 127.0.0.1:port of the request, and answers other requests through `plain`.
Script connect_proxy(Handler plain = {});
}  // namespace scripts

/// A scripted peer on 127.0.0.1, plain or TLS, for every kind of good and bad behaviour:
///   PeerServer peer(scripts::answer([](const PeerRequest& request) { return http_response(200, request.target); }));
///   … send to peer.url("/path") … EXPECT_EQ(peer.requests().at(0).target, "/path");
/// Listens once constructed. Thread-safe. The destructor ends all connections and joins their threads.
class PeerServer {
 public:
  struct Options {
    std::optional<Identity> tls = {};  ///< serve TLS with this certificate
    std::string client_ca_pem = {};    ///< refuse clients without a certificate of this authority (TLS only)
    bool tls12_only = false;
    std::uint16_t port = 0;  ///< 0: any free one
  };
  explicit PeerServer(Script script);
  PeerServer(Script script, Options options);
  ~PeerServer();
  PeerServer(const PeerServer&) = delete;
  PeerServer& operator=(const PeerServer&) = delete;

  std::uint16_t port() const;
  /// "http://127.0.0.1:port/path", https with TLS. `host` replaces the address ("localhost").
  std::string url(std::string_view path = "/", std::string_view host = "127.0.0.1") const;
  /// Every request read so far, in order.
  std::vector<PeerRequest> requests() const;
  std::size_t connections_accepted() const;
  /// TLS handshakes that resumed a session.
  std::size_t sessions_resumed() const;
  /// Waits until the server has seen `count` requests / accepted `count` connections / seen `count` connections end.
  /// False when that did not happen in `limit`.
  bool wait_for_requests(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(10)) const;
  bool wait_for_connections(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(10)) const;
  bool wait_for_closed(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(10)) const;
  /// Lets one wait_until_released() return.
  void release();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub::testing_support
