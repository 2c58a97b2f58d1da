#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "foundation/ids.h"
#include "foundation/metrics.h"
#include "server/http/connection.h"
#include "server/http/http_server.h"
#include "server/http/response_writer.h"
#include "server/http/router.h"
#include "server/http/timer_wheel.h"

namespace inthub::http {

/// The instruments of one route, resolved before serving.
struct RouteInstruments {
  std::array<Counter*, 5> by_status_class{};  ///< 1xx to 5xx
  Histogram* duration = nullptr;
};

/// What all workers share; read-only while they run, but for the atomics.
struct Shared {
  HttpServer::Options options;
  Router router;
  HttpServer::Authenticate authenticate;
  std::vector<RouteInstruments> routes;  ///< by Route::number
  RouteInstruments unrouted;             ///< requests refused before a route was known
  Gauge* connections = nullptr;
  Gauge* in_flight = nullptr;
  std::atomic<std::size_t> open_connections = 0;
};

/// One thread's share of the server: its io_context, its listening socket, its connections and their deadlines.
/// Everything but start(), stop_context() and what is posted to the context happens on the worker's thread.
class Worker {
 public:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, IoExecutor>;

  explicit Worker(Shared& shared);
  /// The thread must have been joined.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  asio::io_context& context() { return context_; }
  Acceptor& acceptor() { return acceptor_; }
  void start();
  /// Thread-safe: stops accepting, closes idle connections; each other one closes after its answer.
  void begin_drain();
  /// Waits until no connection is left. False when `deadline` passed first.
  bool wait_until_empty(Deadline deadline);
  /// Thread-safe: cancels running handlers and closes every other connection.
  void cut_short();
  /// Thread-safe: ends the thread's loop, whatever still runs, and joins it.
  void stop_and_join();

  // For connections:
  Shared& shared() { return shared_; }
  TimerWheel& wheel() { return wheel_; }
  ResponseWriter& writer() { return writer_; }
  RandomSource& random();
  bool is_draining() const { return draining_; }
  bool is_cut_short() const { return cut_short_; }
  void note_in_flight(int change) { in_flight_change_ += change; }
  /// The connection has closed and nothing refers to it any more; it may be reused or destroyed once the stack has
  /// unwound.
  void retire(Connection& connection);

 private:
  class BufferedRandom;

  void run();
  void accept();
  void on_accepted(const boost::system::error_code& error, Socket socket);
  void serve(Socket socket);
  void reap();
  void arm_tick();
  void flush_gauges();
  void signal_if_empty();

  using Timer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

  // The order matters at the end: sockets and timers go before their io_context, connections after it, because
  // suspended handlers, which go with it, refer to their requests.
  Shared& shared_;
  TimerWheel wheel_;
  ResponseWriter writer_;
  std::unique_ptr<BufferedRandom> random_;
  std::vector<std::unique_ptr<Connection>> connections_;  ///< by Connection::place()
  std::vector<std::unique_ptr<Connection>> spare_;
  std::vector<Connection*> retired_;
  asio::io_context context_;
  Acceptor acceptor_;
  Timer tick_;
  Timer accept_pause_;
  asio::ip::tcp::endpoint accepted_peer_;
  int in_flight_change_ = 0;
  std::size_t rejecting_ = 0;  ///< connections that only get told that there are too many
  bool tick_armed_ = false;
  bool draining_ = false;
  bool cut_short_ = false;
  bool emptied_ = false;
  std::binary_semaphore empty_{0};
  std::thread thread_;
};

}  // namespace inthub::http
