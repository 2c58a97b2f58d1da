#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include <boost/asio/steady_timer.hpp>

#include "foundation/task.h"
#include "transport/c_handles.h"

namespace inthub::transport {

/// One libcurl multi handle, driven by an io_context (curl_multi_socket_action): its own connection pool, DNS cache and
/// timer. Everything happens on the context's thread. Held by shared_ptr, because waits in the context outlive it.
class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  /// Called for each finished easy handle, which is still attached: read what is wanted, then remove() it.
  using OnDone = std::function<void(CURL*, CURLcode)>;

  static std::shared_ptr<CurlLoop> make(IoExecutor executor, OnDone on_done);
  /// Closes the idle connections. Every easy handle must have been removed.
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  bool add(CURL* easy);
  /// A transfer that has not finished is aborted and its connection closed.
  void remove(CURL* easy);
  /// Connections kept after use; the oldest beyond that are closed when the next transfer ends.
  void keep_at_most(std::size_t connections);
  /// Sockets open now, in use or idle.
  std::size_t open_sockets() const { return own_sockets_; }

  /// For CURLOPT_OPENSOCKETFUNCTION: a non-inherited socket, or CURL_SOCKET_BAD.
  curl_socket_t open_socket(const curl_sockaddr& address);
  /// For CURLOPT_CLOSESOCKETFUNCTION, with the loop as its data: it outlives the transfer that opened the socket.
  static int close_socket(void* loop, curl_socket_t socket) noexcept;

 private:
  struct Socket;
  using SocketPtr = std::shared_ptr<Socket>;
  using Timer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

  CurlLoop(IoExecutor executor, OnDone on_done);
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* loop, void* unused) noexcept;
  static int on_timer(CURLM* multi, long milliseconds, void* loop) noexcept;
  void set_interest(curl_socket_t socket, int what);
  void set_timer(long milliseconds);
  void wait(const SocketPtr& socket);
  void wait_for(const SocketPtr& socket, int direction);
  void act(curl_socket_t socket, int events);
  void forget(curl_socket_t socket);

  IoExecutor executor_;
  OnDone on_done_;
  Timer timer_;
  std::uint64_t timer_generation_ = 0;  ///< a wait that was replaced does nothing when it fires
  std::unordered_map<curl_socket_t, SocketPtr> sockets_;
  std::size_t own_sockets_ = 0;
  CurlMulti multi_;  // last: closing it closes sockets through the members above
};

}  // namespace inthub::transport
