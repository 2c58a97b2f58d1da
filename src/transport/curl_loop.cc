#include "transport/curl_loop.h"

#include <utility>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace inthub::transport {

/// A wait is left pending when libcurl loses interest: it costs two system calls to take it back, and libcurl mostly
/// asks for the same again with the next request. Readiness that nobody wants is ignored.
struct CurlLoop::Socket {
  Socket(const IoExecutor& executor, curl_socket_t socket, bool opened_here)
      : descriptor(executor, socket), handle(socket), own(opened_here) {}

  asio::posix::basic_stream_descriptor<IoExecutor> descriptor;
  curl_socket_t handle;
  bool own;  ///< closed by close_socket(); else libcurl's own (its resolver's wake-up pair), which closes it itself
  int wanted = 0;   ///< CURL_POLL_IN, CURL_POLL_OUT
  int pending = 0;  ///< directions that are being waited for
  bool gone = false;
};

std::shared_ptr<CurlLoop> CurlLoop::make(IoExecutor executor, OnDone on_done) {
  return std::shared_ptr<CurlLoop>(new CurlLoop(std::move(executor), std::move(on_done)));
}

CurlLoop::CurlLoop(IoExecutor executor, OnDone on_done)
    : executor_(std::move(executor)), on_done_(std::move(on_done)), timer_(executor_), multi_(curl_multi_init()) {
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlLoop::~CurlLoop() {
  multi_.reset();
  while (!sockets_.empty()) forget(sockets_.begin()->first);
}

bool CurlLoop::add(CURL* easy) {
  return curl_multi_add_handle(multi_.get(), easy) == CURLM_OK;
}
void CurlLoop::remove(CURL* easy) {
  curl_multi_remove_handle(multi_.get(), easy);
}
void CurlLoop::keep_at_most(std::size_t connections) {
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
}

curl_socket_t CurlLoop::open_socket(const curl_sockaddr& address) {
  const curl_socket_t handle = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (handle < 0) return CURL_SOCKET_BAD;
  try {
    sockets_.emplace(handle, std::make_shared<Socket>(executor_, handle, true));
  } catch (...) {  // the descriptor cannot be watched: epoll is out of resources
    ::close(handle);
    return CURL_SOCKET_BAD;
  }
  ++own_sockets_;
  return handle;
}

int CurlLoop::close_socket(void* loop, curl_socket_t socket) noexcept {
  static_cast<CurlLoop*>(loop)->forget(socket);
  return 0;
}

void CurlLoop::forget(curl_socket_t socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return;
  const SocketPtr gone = std::move(found->second);
  sockets_.erase(found);
  gone->gone = true;
  boost::system::error_code ignored;
  if (gone->own) {
    --own_sockets_;
    gone->descriptor.close(ignored);
  } else {
    gone->descriptor.release();
  }
}

int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* loop, void*) noexcept {
  static_cast<CurlLoop*>(loop)->set_interest(socket, what);
  return 0;
}

void CurlLoop::set_interest(curl_socket_t socket, int what) {
  auto found = sockets_.find(socket);
  if (what == CURL_POLL_REMOVE) {
    if (found == sockets_.end()) return;
    found->second->wanted = 0;
    if (!found->second->own) forget(socket);
    return;
  }
  if (found == sockets_.end()) {
    found = sockets_.emplace(socket, std::make_shared<Socket>(executor_, socket, false)).first;
  }
  found->second->wanted = what;
  wait(found->second);
}

void CurlLoop::wait(const SocketPtr& socket) {
  const int missing = socket->wanted & ~socket->pending;
  if ((missing & CURL_POLL_IN) != 0) wait_for(socket, CURL_POLL_IN);
  if ((missing & CURL_POLL_OUT) != 0) wait_for(socket, CURL_POLL_OUT);
}

void CurlLoop::wait_for(const SocketPtr& socket, int direction) {
  socket->pending |= direction;
  const auto kind =
      direction == CURL_POLL_IN ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
  socket->descriptor.async_wait(
      kind, [self = weak_from_this(), socket, direction](const boost::system::error_code& error) {
        socket->pending &= ~direction;
        if (error || socket->gone || (socket->wanted & direction) == 0) return;
        const auto loop = self.lock();
        if (!loop) return;
        loop->act(socket->handle, direction == CURL_POLL_IN ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
        if (!socket->gone) loop->wait(socket);
      });
}

int CurlLoop::on_timer(CURLM*, long milliseconds, void* loop) noexcept {
  static_cast<CurlLoop*>(loop)->set_timer(milliseconds);
  return 0;
}

void CurlLoop::set_timer(long milliseconds) {
  const std::uint64_t generation = ++timer_generation_;
  if (milliseconds < 0) {
    timer_.cancel();
    return;
  }
  auto fire = [self = weak_from_this(), generation] {
    const auto loop = self.lock();
    if (loop && loop->timer_generation_ == generation) loop->act(CURL_SOCKET_TIMEOUT, 0);
  };
  if (milliseconds == 0) {  // libcurl must not be called from its own callback
    asio::post(executor_, std::move(fire));
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(milliseconds));
  timer_.async_wait([fire = std::move(fire)](const boost::system::error_code& error) {
    if (!error) fire();
  });
}

void CurlLoop::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
  int waiting = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &waiting)) {
    if (message->msg == CURLMSG_DONE) on_done_(message->easy_handle, message->data.result);
  }
}

}  // namespace inthub::transport
