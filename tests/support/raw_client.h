#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inthub::testing_support {

/// A TCP client on 127.0.0.1 that says exactly what a test wants said, byte for byte. Blocking; a read waits 20 seconds
/// at most. Throws std::runtime_error when it cannot connect. Bytes the server no longer takes are dropped without a
/// word.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  /// With a small receive buffer, so that a server that writes much soon has to wait.
  RawClient(std::uint16_t port, int receive_buffer_bytes);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  /// One answer by its Content-Length; "" when the connection ended first. `has_body` false: the answer to HEAD.
  std::string read_answer(bool has_body = true);
  /// Everything until the server closes. is_at_end() then tells an orderly end from a timeout or a reset.
  std::string read_to_end();
  bool is_at_end() const { return at_end_; }
  /// "I have nothing more to send", but reading goes on.
  void shutdown_send();
  void close();
  /// Closes with a TCP reset.
  void reset();

 private:
  void connect(std::uint16_t port);
  bool receive();

  int socket_ = -1;
  std::string received_;
  bool at_end_ = false;
};

}  // namespace inthub::testing_support
