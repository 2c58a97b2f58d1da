#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/error.h"
#include "server/http/chunked_body.h"

namespace inthub::http {

/// What a client did wrong before any handler saw it. The status is kept apart because the table of error codes has no
/// row for 405, 408, 417, 431 and 505.
struct Refusal {
  int status;
  Error error;
};

/// A request's head as views into the bytes it was parsed from.
struct RequestHead {
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  std::string_view method;
  std::string_view path;  ///< begins with "/", or is "*"; percent-encoded
  std::string_view query;
  bool is_http_1_1 = false;
  bool keep_alive = false;
  bool has_body = false;
  bool expects_continue = false;
  std::vector<Field> fields;
  std::string_view authorization;
  std::string_view content_type;
  std::string_view request_id;
  std::string_view traceparent;
};

/// One HTTP/1.x request (RFC 9112), stricter than the RFC demands wherever two parsers could disagree about where a
/// message ends: bare LF, folded fields, repeated Content-Length, Content-Length beside Transfer-Encoding, any transfer
/// coding but "chunked", and a missing or repeated Host are refused. Boost.Beast takes the head apart. Not thread-safe.
class RequestParser {
 public:
  static constexpr std::size_t kMaxFields = 100;                          ///< 431 beyond
  static constexpr std::size_t kMaxRetainedBody = std::size_t{64} << 10;  ///< a larger body's memory is given back

  struct Limits {
    std::size_t max_header_bytes;
    std::size_t max_body_bytes;
  };
  enum class Step : std::uint8_t { need_more, done, refused };

  explicit RequestParser(Limits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Forgets the message; the next one begins.
  void reset();
  /// `received`: every byte since the message began; it may have moved since the last call. done: `consumed` bytes were
  /// the head, and head() points into `received`.
  Step parse_head(std::string_view received, std::size_t& consumed);
  /// After a head with a body. `received`: the bytes not consumed yet, which are appended to body() without framing.
  Step parse_body(std::string_view received, std::size_t& consumed);

  const RequestHead& head() const { return head_; }
  const std::string& body() const { return body_; }
  /// After `refused`.
  const Refusal& refusal() const { return *refusal_; }

 private:
  struct Tokenizer;

  Step refuse(int status, ErrorCode code, std::string_view reason, std::string message);
  Step check_head();
  bool split_target(std::string_view target);

  Limits limits_;
  std::unique_ptr<Tokenizer> tokenizer_;
  RequestHead head_;
  std::string body_;
  std::unique_ptr<const Refusal> refusal_;
  ChunkedBody chunks_;
  bool is_chunked_ = false;
  std::size_t body_left_ = 0;   ///< when not chunked
  std::size_t scanned_ = 0;     ///< bytes already searched for the end of the head
  std::size_t line_start_ = 0;  ///< where the line that contains scanned_ begins
};

}  // namespace inthub::http
