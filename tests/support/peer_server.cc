#include "support/peer_server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <list>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "foundation/headers.h"

namespace inthub::testing_support {
namespace {

constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 20;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using TlsContext = std::unique_ptr<SSL_CTX, Deleter<&SSL_CTX_free>>;
using TlsSession = std::unique_ptr<SSL, Deleter<&SSL_free>>;
using Bio = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("peer server: ") + what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::vector<Certificate> read_certificates(const std::string& pem) {
  std::vector<Certificate> certificates;
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  ERR_clear_error();
  return certificates;
}

TlsContext make_context(const Identity& identity, const PeerServer::Options& options) {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  require(context != nullptr, "TLS context");
  const std::vector<Certificate> chain = read_certificates(identity.chain_pem);
  require(!chain.empty() && SSL_CTX_use_certificate(context.get(), chain.front().get()) == 1, "certificate");
  for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context.get(), chain[i].get());
  // Without this the server would complete the chain by itself from its trust store.
  SSL_CTX_set_mode(context.get(), SSL_MODE_NO_AUTO_CHAIN);
  const Bio key_text(BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size())));
  const Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  require(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1, "private key");
  static constexpr unsigned char kSessionContext[] = "peer";
  SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext);
  if (options.tls12_only) SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  if (!options.client_ca_pem.empty()) {
    for (const Certificate& authority : read_certificates(options.client_ca_pem)) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get());
      SSL_CTX_add_client_CA(context.get(), authority.get());
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    default:
      return "Status";
  }
}

/// Where a request's head ends, after the blank line; npos while it is incomplete.
std::size_t end_of_head(std::string_view bytes) {
  const std::size_t blank = bytes.find("\r\n\r\n");
  return blank == std::string_view::npos ? blank : blank + 4;
}

PeerRequest parse_head(std::string_view head) {
  PeerRequest request;
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  request.method = line.substr(0, first);
  if (first != std::string_view::npos && last > first) request.target = line.substr(first + 1, last - first - 1);
  request.text = head;
  return request;
}

}  // namespace

std::string PeerRequest::header(std::string_view name) const {
  std::string_view rest = std::string_view(text).substr(0, end_of_head(text));
  for (std::size_t end = rest.find("\r\n"); end != std::string_view::npos; end = rest.find("\r\n")) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equals_ignore_case(line.substr(0, colon), name)) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return std::string(value);
  }
  return {};
}

std::string http_response(int status, std::string_view body, std::string_view extra_headers) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) +
                     "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  text += extra_headers;
  text += "\r\n";
  text += body;
  return text;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipWrapper = 16 + MAX_WBITS;
  require(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWrapper, 9, Z_DEFAULT_STRATEGY) == Z_OK,
          "deflate");
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  std::string in(bytes);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  require(done == Z_STREAM_END, "deflate");
  return out;
}

struct PeerServer::Impl {
  Script script;
  Options options;
  TlsContext context;
  int listener = -1;
  std::uint16_t port = 0;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool stopping = false;
  std::size_t accepted = 0;
  std::size_t closed = 0;
  std::size_t resumed = 0;
  std::size_t released = 0;
  std::vector<PeerRequest> requests;
  std::set<int> open_sockets;  ///< to be shut down when the server stops
  std::list<std::thread> connections;
  std::thread acceptor;

  class Connection;
  void accept_connections();
  void serve(int socket);
  template <class Condition>
  bool wait_for(Condition condition, std::chrono::milliseconds limit) const {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, limit, condition);
  }
  /// False when the server is stopping; then the socket stays unknown.
  bool enlist(int socket) {
    const std::scoped_lock lock(mutex);
    if (!stopping) open_sockets.insert(socket);
    return !stopping;
  }
  void close_socket(int socket) {
    const std::scoped_lock lock(mutex);
    open_sockets.erase(socket);
    ::close(socket);
  }
};

class PeerServer::Impl::Connection final : public PeerConnection {
 public:
  Connection(Impl& server, int socket) : server_(server), socket_(socket) {}

  bool handshake() {
    if (!server_.context) return true;
    tls_.reset(SSL_new(server_.context.get()));
    SSL_set_fd(tls_.get(), socket_);
    const bool done = SSL_accept(tls_.get()) == 1;
    ERR_clear_error();
    if (done && SSL_session_reused(tls_.get()) == 1) {
      const std::scoped_lock lock(server_.mutex);
      ++server_.resumed;
    }
    return done;
  }

  void finish() {
    if (tls_ && SSL_is_init_finished(tls_.get()) == 1) SSL_shutdown(tls_.get());
    ERR_clear_error();
    // An orderly end: what the client still sends must not turn the close into a reset that destroys the answer.
    ::shutdown(socket_, SHUT_WR);
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char discarded[4096];
    while (!reset_ && ::recv(socket_, discarded, sizeof discarded, 0) > 0) {
    }
  }

  std::optional<PeerRequest> read_request() override {
    std::size_t head = end_of_head(pending_);
    while (head == std::string::npos) {
      if (!fill()) return std::nullopt;
      head = end_of_head(pending_);
    }
    PeerRequest request = parse_head(std::string_view(pending_).substr(0, head));
    std::size_t length = 0;
    const std::string declared = request.header("Content-Length");
    std::from_chars(declared.data(), declared.data() + declared.size(), length);
    while (pending_.size() < head + length) {
      if (!fill()) return std::nullopt;
    }
    request.body = pending_.substr(head, length);
    request.text = pending_.substr(0, head + length);
    pending_.erase(0, head + length);
    {
      const std::scoped_lock lock(server_.mutex);
      server_.requests.push_back(request);
    }
    server_.changed.notify_all();
    return request;
  }

  bool send(std::string_view bytes) override {
    if (!tls_) return send_all(socket_, bytes);
    std::size_t sent = 0;
    const bool done = bytes.empty() || SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent) == 1;
    ERR_clear_error();
    return done;
  }

  void wait_until_closed() override {
    pending_.clear();
    while (fill()) pending_.clear();
  }

  void wait_until_released() override {
    std::unique_lock lock(server_.mutex);
    server_.changed.wait(lock, [&] { return server_.stopping || server_.released > 0; });
    if (server_.released > 0) --server_.released;
  }

  bool pause(std::chrono::milliseconds length) override {
    return !server_.wait_for([&] { return server_.stopping; }, length);
  }

  void reset() override {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    reset_ = true;
    tls_.reset();
  }
  bool is_reset() const { return reset_; }

  void tunnel_to(std::uint16_t target) override {
    const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target);
    if (server_.enlist(other)) {
      if (::connect(other, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) copy_both_ways(other);
      server_.close_socket(other);
    } else {
      ::close(other);
    }
  }

 private:
  bool fill() {
    char bytes[16'384];
    std::size_t count = 0;
    if (tls_) {
      if (SSL_read_ex(tls_.get(), bytes, sizeof bytes, &count) != 1) {
        ERR_clear_error();
        return false;
      }
    } else {
      const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      count = static_cast<std::size_t>(got);
    }
    pending_.append(bytes, count);
    return pending_.size() <= kMaxRequestBytes;
  }

  void copy_both_ways(int other) {
    for (;;) {
      pollfd sides[2] = {{.fd = socket_, .events = POLLIN, .revents = 0},
                         {.fd = other, .events = POLLIN, .revents = 0}};
      const bool has_decrypted = tls_ && SSL_pending(tls_.get()) > 0;
      if (::poll(sides, 2, has_decrypted ? 0 : -1) < 0 && errno != EINTR) return;
      if (has_decrypted || sides[0].revents != 0) {
        pending_.clear();
        if (!fill() || !send_all(other, pending_)) return;
        pending_.clear();
      }
      if (sides[1].revents != 0) {
        char bytes[16'384];
        const ssize_t got = ::recv(other, bytes, sizeof bytes, 0);
        if (got <= 0 || !send({bytes, static_cast<std::size_t>(got)})) return;
      }
    }
  }

  Impl& server_;
  int socket_;
  TlsSession tls_;
  std::string pending_;
  bool reset_ = false;
};

void PeerServer::Impl::serve(int socket) {
  {
    Connection connection(*this, socket);
    if (connection.handshake()) script(connection);
    if (!connection.is_reset()) connection.finish();
  }
  {
    const std::scoped_lock lock(mutex);
    open_sockets.erase(socket);
    ::close(socket);
    ++closed;
  }
  changed.notify_all();
}

void PeerServer::Impl::accept_connections() {
  for (;;) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    {
      const std::scoped_lock lock(mutex);
      if (stopping) {
        ::close(socket);
        return;
      }
      open_sockets.insert(socket);
      ++accepted;
      connections.emplace_back([this, socket] { serve(socket); });
    }
    changed.notify_all();
  }
}

PeerServer::PeerServer(Script script) : PeerServer(std::move(script), Options{}) {}

PeerServer::PeerServer(Script script, Options options) : impl_(std::make_unique<Impl>()) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  impl_->script = std::move(script);
  impl_->options = std::move(options);
  if (const auto& identity = impl_->options.tls; identity) impl_->context = make_context(*identity, impl_->options);
  impl_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(impl_->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = loopback(impl_->options.port);
  socklen_t size = sizeof address;
  const bool listening = ::bind(impl_->listener, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                         ::listen(impl_->listener, SOMAXCONN) == 0 &&
                         ::getsockname(impl_->listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!listening) {
    const std::error_code reason(errno, std::generic_category());
    ::close(impl_->listener);
    throw std::system_error(reason, "peer server: listen");
  }
  impl_->port = ntohs(address.sin_port);
  impl_->acceptor = std::thread([impl = impl_.get()] { impl->accept_connections(); });
}

PeerServer::~PeerServer() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
    for (const int socket : impl_->open_sockets) ::shutdown(socket, SHUT_RDWR);
  }
  impl_->changed.notify_all();
  ::shutdown(impl_->listener, SHUT_RDWR);  // wakes accept()
  impl_->acceptor.join();
  for (std::thread& connection : impl_->connections) connection.join();
  ::close(impl_->listener);
}

std::uint16_t PeerServer::port() const {
  return impl_->port;
}

std::string PeerServer::url(std::string_view path, std::string_view host) const {
  return std::string(impl_->context ? "https://" : "http://") + std::string(host) + ":" + std::to_string(impl_->port) +
         std::string(path);
}

std::vector<PeerRequest> PeerServer::requests() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->requests;
}
std::size_t PeerServer::connections_accepted() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->accepted;
}
std::size_t PeerServer::sessions_resumed() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->resumed;
}
bool PeerServer::wait_for_requests(std::size_t count, std::chrono::milliseconds limit) const {
  return impl_->wait_for([&] { return impl_->requests.size() >= count; }, limit);
}
bool PeerServer::wait_for_connections(std::size_t count, std::chrono::milliseconds limit) const {
  return impl_->wait_for([&] { return impl_->accepted >= count; }, limit);
}
bool PeerServer::wait_for_closed(std::size_t count, std::chrono::milliseconds limit) const {
  return impl_->wait_for([&] { return impl_->closed >= count; }, limit);
}
void PeerServer::release() {
  {
    const std::scoped_lock lock(impl_->mutex);
    ++impl_->released;
  }
  impl_->changed.notify_all();
}

namespace scripts {

Script answer(Handler handler) {
  return [handler = std::move(handler)](PeerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (!connection.send(handler(*request))) return;
    }
  };
}

Script raw(std::string response) {
  return [response = std::move(response)](PeerConnection& connection) {
    if (connection.read_request()) connection.send(response);
  };
}

Script hang() {
  return [](PeerConnection& connection) { connection.wait_until_closed(); };
}

Script hang_after(std::string beginning) {
  return [beginning = std::move(beginning)](PeerConnection& connection) {
    if (connection.read_request() && connection.send(beginning)) connection.wait_until_closed();
  };
}

Script close_at_once() {
  return [](PeerConnection&) {};
}

Script reset_after_request() {
  return [](PeerConnection& connection) {
    if (connection.read_request()) connection.reset();
  };
}

Script endless_body() {
  return [](PeerConnection& connection) {
    if (!connection.read_request()) return;
    if (!connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return;
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    while (connection.send(chunk)) {
    }
  };
}

Script endless_headers() {
  return [](PeerConnection& connection) {
    if (!connection.read_request() || !connection.send("HTTP/1.1 200 OK\r\n")) return;
    const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
    while (connection.send(line)) {
    }
  };
}

Script endless_header_line() {
  return [](PeerConnection& connection) {
    if (!connection.read_request() || !connection.send("HTTP/1.1 200 OK\r\nX-Filler: ")) return;
    const std::string piece(4096, 'x');
    while (connection.send(piece)) {
    }
  };
}

Script slow_drip(std::chrono::milliseconds pause) {
  return [pause](PeerConnection& connection) {
    if (!connection.read_request()) return;
    if (!connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")) return;
    while (connection.send("x") && connection.pause(pause)) {
    }
  };
}

Script gzip_bomb(std::size_t plain_bytes) {
  return [bomb = gzip(std::string(plain_bytes, '\0'))](PeerConnection& connection) {
    while (connection.read_request() && connection.send(http_response(200, bomb, "Content-Encoding: gzip\r\n"))) {
    }
  };
}

Script connect_proxy(Handler plain) {
  return [plain = std::move(plain)](PeerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (request->method != "CONNECT") {
        if (!plain || !connection.send(plain(*request))) return;
        continue;
      }
      std::uint16_t port = 0;
      const std::string_view digits = std::string_view(request->target).substr(request->target.rfind(':') + 1);
      std::from_chars(digits.data(), digits.data() + digits.size(), port);
      if (connection.send("HTTP/1.1 200 Connection established\r\n\r\n")) connection.tunnel_to(port);
      return;
    }
  };
}

}  // namespace scripts
}  // namespace inthub::testing_support
