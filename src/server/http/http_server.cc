#include "server/http/http_server.h"

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>

#include "foundation/metrics.h"
#include "server/http/worker.h"

namespace inthub {
namespace {

using boost::system::error_code;
using Acceptor = http::Worker::Acceptor;
using asio::ip::tcp;

/// Cancelled handlers get so long to unwind before the workers stop without them.
constexpr std::chrono::seconds kCancelGrace{2};

const std::vector<double>& duration_buckets() {
  static const std::vector<double> buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                           0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
  return buckets;
}

http::RouteInstruments instruments_for(Metrics& metrics, const std::string& method, const std::string& route) {
  http::RouteInstruments instruments;
  for (std::size_t i = 0; i < instruments.by_status_class.size(); ++i) {
    instruments.by_status_class[i] =
        &metrics.counter("inthub_http_requests_total", "Requests answered, by route and class of status.",
                         {{"method", method}, {"route", route}, {"status", fmt::format("{}xx", i + 1)}});
  }
  instruments.duration =
      &metrics.histogram("inthub_http_request_duration_seconds", "From the end of a request's head to its answer.",
                         duration_buckets(), {{"method", method}, {"route", route}});
  return instruments;
}

Error cannot_listen(const HttpServer::Options& options, const error_code& error) {
  return Error(ErrorCode::unavailable,
               fmt::format("cannot listen on {} port {}: {}", options.host, options.port, error.message()))
      .with_reason("http.listen")
      .with_remedy("choose another address or port, or stop whatever uses it");
}

/// `shared`: other sockets may listen on the same port, and the kernel spreads the connections over them.
error_code bind_socket(Acceptor& acceptor, const tcp::endpoint& endpoint, bool shared) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return error;
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (error) return error;
  const int on = 1;
  if (shared && ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return {errno, boost::system::system_category()};
  }
  acceptor.bind(endpoint, error);
  return error;
}

}  // namespace

struct HttpServer::Impl {
  http::Shared shared;
  std::vector<std::unique_ptr<http::Worker>> workers;
  tcp::endpoint endpoint;
  std::mutex lifecycle;
  bool started = false;
  bool stopped = false;
};

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Options options, Router router, Authenticate authenticate,
                                                       Metrics& metrics) {
  if (options.workers == 0) return fail(ErrorCode::invalid_argument, "an HTTP server needs at least one worker");
  error_code error;
  const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  if (error) {
    return fail(
        Error(ErrorCode::invalid_argument, fmt::format("\"{}\" is not an IP address to listen on", options.host))
            .with_remedy("use for example 127.0.0.1, 0.0.0.0 or ::1"));
  }
  auto impl = std::make_unique<Impl>();
  impl->endpoint = tcp::endpoint(address, options.port);
  if (options.port != 0) {
    // Sockets with SO_REUSEPORT also share their port with another process of the same user, which then would get half
    // of the connections. A socket without it finds such a neighbour.
    asio::io_context context;
    Acceptor probe(context.get_executor());
    error = bind_socket(probe, impl->endpoint, false);
    if (error) return fail(cannot_listen(options, error));
  }
  impl->shared.options = options;
  impl->shared.router = std::move(router);
  impl->shared.authenticate = std::move(authenticate);
  for (const Route* route : impl->shared.router.routes()) {
    impl->shared.routes.push_back(instruments_for(metrics, route->method, route->path));
  }
  impl->shared.unrouted = instruments_for(metrics, "none", "none");
  impl->shared.connections = &metrics.gauge("inthub_http_connections", "Open client connections.");
  impl->shared.in_flight = &metrics.gauge("inthub_http_requests_in_flight", "Requests whose handler runs.");
  for (unsigned i = 0; i < options.workers; ++i) {
    Acceptor& acceptor = impl->workers.emplace_back(std::make_unique<http::Worker>(impl->shared))->acceptor();
    error = bind_socket(acceptor, impl->endpoint, true);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error)
      impl->endpoint = acceptor.local_endpoint(error);  // the first one finds the port when none was asked for
    if (error) return fail(cannot_listen(options, error));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  stop(std::chrono::milliseconds(0));
}

std::uint16_t HttpServer::port() const {
  return impl_->endpoint.port();
}

std::string HttpServer::address() const {
  const auto ip = impl_->endpoint.address();
  return ip.is_v6() ? fmt::format("http://[{}]:{}", ip.to_string(), port())
                    : fmt::format("http://{}:{}", ip.to_string(), port());
}

void HttpServer::start() {
  const std::scoped_lock lock(impl_->lifecycle);
  if (impl_->started || impl_->stopped) return;
  impl_->started = true;
  for (const auto& worker : impl_->workers) worker->start();
}

asio::io_context& HttpServer::context(unsigned index) {
  return impl_->workers[index % impl_->workers.size()]->context();
}

void HttpServer::stop(std::chrono::milliseconds drain) {
  const std::scoped_lock lock(impl_->lifecycle);
  if (std::exchange(impl_->stopped, true)) return;
  if (impl_->started) {
    for (const auto& worker : impl_->workers) worker->begin_drain();
    Deadline deadline = std::chrono::steady_clock::now() + drain;
    bool all_empty = true;
    for (const auto& worker : impl_->workers) all_empty = worker->wait_until_empty(deadline) && all_empty;
    if (!all_empty) {
      for (const auto& worker : impl_->workers) worker->cut_short();
      deadline = std::chrono::steady_clock::now() + kCancelGrace;
      for (const auto& worker : impl_->workers) worker->wait_until_empty(deadline);
    }
  }
  for (const auto& worker : impl_->workers) worker->stop_and_join();
}

}  // namespace inthub
