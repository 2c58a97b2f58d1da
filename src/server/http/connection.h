#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "foundation/task.h"
#include "server/http/message.h"
#include "server/http/request_parser.h"
#include "server/http/router.h"
#include "server/http/timer_wheel.h"

namespace inthub::http {

class Worker;
struct RouteInstruments;
using Socket = asio::basic_stream_socket<asio::ip::tcp, IoExecutor>;

/// One client's connection: a state machine driven by callbacks, beside one coroutine that runs the handlers. The
/// coroutine waits between requests and is kept when the object serves the next client, so a request starts no
/// coroutine but its handler's.
///
/// A read is pending while a handler runs: it collects pipelined requests and notices a client that goes away. A reset
/// cancels the handler. An end of stream does not say whether the client has gone (close) or only has nothing more to
/// send (shutdown), so an HTTP/1.1 client is then sent the interim answer 102: a client that has gone answers it with a
/// reset, which cancels the handler; one that still reads skips it (RFC 9110 section 15.2) and gets its answer. An
/// HTTP/1.0 client cannot be asked, and the handler runs on.
class Connection {
 public:
  static constexpr std::size_t kInitialBuffer = std::size_t{8} << 10;
  static constexpr std::size_t kBodyRoom = std::size_t{4} << 10;  ///< kept free behind a head for reading its body
  static constexpr std::size_t kFlushThreshold = std::size_t{64}
                                                 << 10;  ///< answers to pipelined requests are sent together up to this
  static constexpr std::size_t kRetainedOutput = std::size_t{256}
                                                 << 10;  ///< a larger buffer is given back after its answer
  static constexpr std::size_t kMaxRequestIdBytes = 128;
  /// After the last answer what the client still sends is read and dropped for so long: closing at once would reset the
  /// connection and destroy the answer on its way (RFC 9112 section 9.6).
  static constexpr std::chrono::seconds kLinger{2};
  /// A handler should watch ServerRequest::deadline itself; it is cancelled, and 504 answered, so long after it.
  static constexpr std::chrono::seconds kDeadlineGrace{1};

  explicit Connection(Worker& worker);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void open(Socket socket, const asio::ip::tcp::endpoint& peer);
  /// Answers 503 and closes.
  void open_to_reject(Socket socket);
  /// The server is stopping: closes if idle.
  void begin_drain();
  /// Cancels the handler if one runs, else closes.
  void cut_short();
  void on_timeout();
  /// Drops what belongs to the io_context, before that is destroyed.
  void detach();

  bool is_rejected() const { return rejected_; }
  bool can_be_reused() const { return cancel_reason_ == CancelReason::none; }
  std::size_t place() const { return place_; }
  void set_place(std::size_t place) { place_ = place; }
  static Connection& of(TimerWheel::Entry& entry) { return static_cast<Alarm&>(entry).connection; }

 private:
  enum class Phase : std::uint8_t { closed, idle, head, body, running, lingering };
  enum class Parsed : std::uint8_t { need_more, answered, ready };
  enum class CancelReason : std::uint8_t { none, client_gone, deadline, shutdown };
  enum class Runner : std::uint8_t { none, active, parked };
  struct Alarm : TimerWheel::Entry {
    explicit Alarm(Connection& owner) : connection(owner) {}
    Connection& connection;
  };
  struct Request final : ServerRequest {
    const RequestHead* head = nullptr;
    std::optional<std::string_view> header(std::string_view name) const override;
  };
  using ParkedRunner = asio::async_result<asio::use_awaitable_t<IoExecutor>, void()>::handler_type;
  using Clock = std::chrono::steady_clock;

  void reset();
  /// Serves what has been received until more is needed; true when a request waits for its handler.
  bool advance();
  Parsed parse();
  Parsed parse_body();
  Parsed accept_head();
  /// Whether the caller may use the route; a refusal is answered already.
  bool authorize(Permission needed);
  void write_outgoing();
  void make_room();
  void arm_read();
  void on_read(const boost::system::error_code& error, std::size_t size);
  void on_end_of_stream();
  void on_written(const boost::system::error_code& error, std::size_t size);
  /// Sends as much of the output as the socket takes and waits for the rest.
  void flush();

  /// Parses and runs handlers until one suspends or more bytes are needed.
  void drive();
  void run_handler();
  Task<void> serve_requests();
  Task<void> park();
  void on_runner_ended(const std::exception_ptr& error);
  void finish(const ServerResponse& response);
  ServerResponse answer_to_cancelled();
  void cancel_handler(CancelReason reason);

  void respond(const ServerResponse& response);
  void refuse(int status, const Error& error);
  void record(int status, Clock::time_point now);
  void identify(std::string_view client_request_id, std::string_view traceparent);

  void set_deadline();
  void linger();
  void close();
  void retire_if_done();

  Worker& worker_;
  std::unique_ptr<Socket> socket_;
  RequestParser parser_;
  Request request_;
  Alarm alarm_;
  Phase phase_ = Phase::closed;
  Runner runner_ = Runner::none;
  CancelReason cancel_reason_ = CancelReason::none;
  bool read_pending_ = false;
  bool write_pending_ = false;
  bool reset_watch_pending_ = false;
  bool peer_finished_ = false;  ///< the client has sent its last byte
  bool close_after_output_ = false;
  bool continue_sent_ = false;
  bool request_ready_ = false;
  bool driving_ = false;               ///< drive() is on the stack and goes on when the handler has ended
  bool continuation_pending_ = false;  ///< drive() is posted
  bool rejected_ = false;

  std::vector<char> buffer_;
  std::size_t begin_ = 0;       ///< first byte not consumed
  std::size_t end_ = 0;         ///< behind the last byte received
  std::size_t body_floor_ = 0;  ///< behind the head of the request whose body is being read
  std::string output_;          ///< answers not handed to the socket yet
  std::string outgoing_;        ///< while write_pending_: what the socket is taking; output_ may grow beside it
  std::size_t sent_ = 0;        ///< bytes of it taken

  Clock::time_point last_activity_;
  Clock::time_point request_started_;
  Clock::time_point phase_deadline_;
  Clock::time_point write_deadline_;
  const Route* route_ = nullptr;
  const RouteInstruments* instruments_ = nullptr;
  std::string request_id_;
  std::string trace_id_;
  std::string peer_address_;

  asio::cancellation_signal cancellation_;
  std::optional<ParkedRunner> parked_;
  std::size_t place_ = 0;
};

}  // namespace inthub::http
