#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "foundation/result.h"
#include "foundation/task.h"
#include "server/http/router.h"

namespace inthub {

class Metrics;

/// HTTP/1.1 and 1.0 server: one thread and one io_context per worker, each with its own listening socket
/// (SO_REUSEPORT).
///
/// The engine itself answers what is malformed or beyond a limit (400, 408, 413, 417, 431, 501, 503, 505), then, from
/// the route, 404, 405 with Allow, 401 with WWW-Authenticate, 403 and 415, before the body is read. A handler that
/// throws is a 500 that names the request id; the exception goes to the log. Every answer has Date, X-Request-Id,
/// Cache-Control: no-store (unless the handler sets another) and X-Content-Type-Options: nosniff.
///
/// A handler is cancelled when its client resets the connection or closes it, when a write to it fails or stalls, a
/// second after the request's deadline (504), and at stop() (503). A client that only ends its sending side (shutdown)
/// still gets its answer: to tell the two apart, an HTTP/1.1 client whose stream ends while the handler runs is sent
/// one interim answer, 102, which a closed socket answers with a reset. HTTP/1.0 knows no interim answers, so there the
/// handler runs to its end. While a client has pipelined more than the receive buffer holds, its leaving is noticed
/// only after the next answers.
class HttpServer {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: any free one
    unsigned workers = 2;
    std::size_t max_connections = 4096;                    ///< further ones get 503 and are closed
    std::size_t max_header_bytes = std::size_t{32} << 10;  ///< 431 beyond
    std::size_t max_body_bytes = std::size_t{1}
                                 << 20;  ///< 413 beyond, before the body is read when Content-Length says so
    std::chrono::milliseconds header_timeout{10'000};  ///< from the first byte to the end of the headers: 408
    std::chrono::milliseconds body_timeout{30'000};    ///< for the whole body: 408
    std::chrono::milliseconds write_timeout{30'000};   ///< for the whole answer, once the client's window is full
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds request_timeout{
        130'000};  ///< ServerRequest::deadline; a second later the handler is cancelled: 504
  };
  /// Authenticates the Authorization header's value; called for routes with Route::needs.
  using Authenticate = std::function<Result<Principal>(std::string_view authorization)>;

  /// Binds and listens at once. Errors: unavailable with the address and the reason ("address already in use").
  static Result<std::unique_ptr<HttpServer>> listen(Options options, Router router, Authenticate authenticate,
                                                    Metrics& metrics);
  ~HttpServer();  ///< stops hard if stop() was not called
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  /// "http://127.0.0.1:8080"
  std::string address() const;
  /// Starts the workers' threads. Their io_contexts exist before (contexts()), so that others may run tasks on them.
  void start();
  /// Worker `index % workers`'s context.
  asio::io_context& context(unsigned index);
  /// Stops accepting, lets running requests finish for up to `drain`, then cancels them, closes everything and joins
  /// the threads. Idle keep-alive connections close at once. Blocking; call from a thread that is not a worker.
  void stop(std::chrono::milliseconds drain);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inthub
