#include "server/http/request_parser.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <fmt/format.h>

#include "foundation/headers.h"

namespace inthub::http {
namespace {

namespace beast = boost::beast;
using BeastError = beast::http::error;
using beast::http::field;
using boost::system::error_code;

std::string_view to_view(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

/// Beast's parser reports a head's parts; this records them. It is given no byte of a body: Beast 1.81 asserts false on
/// a trailer that arrives in small pieces.
struct RequestParser::Tokenizer {
  class Message final : public beast::http::basic_parser<true> {
   public:
    Message(RequestHead& head, Tokenizer& seen, const Limits& limits) : head_(head), seen_(seen) {
      eager(true);
      // RequestParser bounds the head before this sees it; 0 would mean no bytes at all.
      header_limit(static_cast<std::uint32_t>(limits.max_header_bytes) + 1);
      body_limit(limits.max_body_bytes);
    }

   private:
    void on_request_impl(beast::http::verb /*verb*/, beast::string_view method, beast::string_view target, int version,
                         error_code& /*error*/) override {
      head_.method = to_view(method);
      seen_.request_target = to_view(target);
      head_.is_http_1_1 = version == 11;
    }
    void on_response_impl(int /*status*/, beast::string_view /*reason*/, int /*version*/,
                          error_code& /*error*/) override {}
    void on_field_impl(field name, beast::string_view name_text, beast::string_view value, error_code& error) override {
      if (head_.fields.size() == kMaxFields) {
        error = BeastError::header_limit;
        return;
      }
      const RequestHead::Field& added = head_.fields.emplace_back(to_view(name_text), to_view(value));
      switch (name) {
        case field::host:
          ++seen_.hosts;
          break;
        case field::content_length:
          ++seen_.content_lengths;
          seen_.content_length = added.value;
          break;
        case field::transfer_encoding:
          ++seen_.transfer_encodings;
          seen_.transfer_encoding = added.value;
          break;
        case field::expect:
          seen_.expect = added.value;
          break;
        case field::authorization:
          ++seen_.authorizations;
          head_.authorization = added.value;
          break;
        case field::content_type:
          head_.content_type = added.value;
          break;
        default:
          if (added.name.size() == 12 && head_.request_id.empty() && equals_ignore_case(added.name, "x-request-id")) {
            head_.request_id = added.value;
          } else if (added.name.size() == 11 && head_.traceparent.empty() &&
                     equals_ignore_case(added.name, "traceparent")) {
            head_.traceparent = added.value;
          }
      }
    }
    void on_header_impl(error_code& /*error*/) override { seen_.head_done = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/, error_code& /*error*/) override {}
    std::size_t on_body_impl(beast::string_view /*bytes*/, error_code& /*error*/) override { return 0; }
    void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/,
                              error_code& /*error*/) override {}
    std::size_t on_chunk_body_impl(std::uint64_t /*left*/, beast::string_view /*bytes*/,
                                   error_code& /*error*/) override {
      return 0;
    }
    void on_finish_impl(error_code& /*error*/) override {}

    RequestHead& head_;
    Tokenizer& seen_;
  };

  std::string_view request_target;
  std::string_view content_length;
  std::string_view transfer_encoding;
  std::string_view expect;
  unsigned hosts = 0;
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  unsigned authorizations = 0;
  bool head_done = false;
  // What Beast makes of the head:
  bool keep_alive = false;
  bool has_body = false;
  bool is_chunked = false;
  std::uint64_t body_bytes = 0;  ///< by Content-Length
};

RequestParser::RequestParser(Limits limits) : limits_(limits), tokenizer_(std::make_unique<Tokenizer>()) {
  reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  scanned_ = 0;
  line_start_ = 0;
  refusal_.reset();
  auto fields = std::move(head_.fields);  // for their memory
  fields.clear();
  head_ = RequestHead{};
  head_.fields = std::move(fields);
  if (body_.capacity() > kMaxRetainedBody) {
    body_ = std::string();
  } else {
    body_.clear();
  }
}

RequestParser::Step RequestParser::refuse(int status, ErrorCode code, std::string_view reason, std::string message) {
  refusal_ = std::make_unique<const Refusal>(status, Error(code, std::move(message)).with_reason(std::string(reason)));
  return Step::refused;
}

RequestParser::Step RequestParser::parse_head(std::string_view received, std::size_t& consumed) {
  consumed = 0;
  // The end is looked for here and not by Beast, so that the views it reports are taken once, from the whole head, and
  // line ends are checked one way.
  std::size_t head_size = 0;
  while (head_size == 0) {
    const std::size_t line_feed = received.find('\n', scanned_);
    if (line_feed == std::string_view::npos || line_feed >= limits_.max_header_bytes) {
      scanned_ = received.size();
      if (received.size() < limits_.max_header_bytes) return Step::need_more;
      return refuse(431, ErrorCode::payload_too_large, "http.header_too_large",
                    fmt::format("the request's head is longer than {} bytes", limits_.max_header_bytes));
    }
    if (line_feed == line_start_ || received[line_feed - 1] != '\r') {
      return refuse(400, ErrorCode::invalid_argument, "http.line_ending",
                    "a line of the request's head does not end with CR LF");
    }
    if (line_start_ > 0 && (received[line_start_] == ' ' || received[line_start_] == '\t')) {
      return refuse(400, ErrorCode::invalid_argument, "http.folded_field",
                    "a header field is folded over several lines; send it on one line (RFC 9112 section 5.2)");
    }
    if (line_feed == line_start_ + 1 && line_start_ > 0) head_size = line_feed + 1;
    scanned_ = line_start_ = line_feed + 1;
  }

  Tokenizer& seen = *tokenizer_;
  seen.request_target = seen.content_length = seen.transfer_encoding = seen.expect = {};
  seen.hosts = seen.content_lengths = seen.transfer_encodings = seen.authorizations = 0;
  seen.head_done = false;
  Tokenizer::Message message(head_, seen, limits_);
  error_code error;
  const std::size_t parsed = message.put(boost::asio::const_buffer(received.data(), head_size), error);
  if (error == BeastError::body_limit) {
    return refuse(413, ErrorCode::payload_too_large, "http.body_too_large",
                  fmt::format("the request's body is longer than {} bytes", limits_.max_body_bytes));
  }
  if (error == BeastError::header_limit) {
    return refuse(431, ErrorCode::payload_too_large, "http.header_too_large",
                  fmt::format("the request has more than {} header fields", kMaxFields));
  }
  if (error == BeastError::bad_version) {
    const std::string_view line = received.substr(0, received.find('\r'));
    const std::size_t blank = line.rfind(' ');
    const std::string_view version = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    const bool other_version = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                               version[5] >= '0' && version[5] <= '9' && version[7] >= '0' && version[7] <= '9';
    if (other_version) {
      return refuse(505, ErrorCode::unsupported, "http.version", "this server speaks HTTP/1.1 and HTTP/1.0 only");
    }
  }
  const bool conflicting_length = error == BeastError::bad_content_length ||
                                  error == BeastError::multiple_content_length ||
                                  error == BeastError::bad_transfer_encoding;
  if (conflicting_length) {
    return refuse(400, ErrorCode::invalid_argument, "http.message_length",
                  "Content-Length and Transfer-Encoding contradict each other or are malformed");
  }
  if (error || !seen.head_done || parsed != head_size) {
    return refuse(400, ErrorCode::invalid_argument, "http.malformed",
                  "the request line or a header field is malformed");
  }
  consumed = head_size;
  seen.keep_alive = message.keep_alive();
  seen.has_body = !message.is_done();
  seen.is_chunked = message.chunked();
  seen.body_bytes = message.content_length().value_or(0);
  return check_head();
}

RequestParser::Step RequestParser::check_head() {
  const Tokenizer& seen = *tokenizer_;
  if (seen.content_lengths > 1 || (seen.content_lengths == 1 && seen.transfer_encodings > 0)) {
    return refuse(400, ErrorCode::invalid_argument, "http.message_length",
                  "send either one Content-Length or one Transfer-Encoding (RFC 9112 section 6.3)");
  }
  const bool digits_only = std::ranges::all_of(seen.content_length, [](char c) { return c >= '0' && c <= '9'; });
  if (seen.content_lengths == 1 && (seen.content_length.empty() || !digits_only)) {
    return refuse(400, ErrorCode::invalid_argument, "http.message_length", "Content-Length is not a decimal number");
  }
  if (seen.transfer_encodings > 0) {
    if (!head_.is_http_1_1) {
      return refuse(400, ErrorCode::invalid_argument, "http.message_length", "HTTP/1.0 has no Transfer-Encoding");
    }
    if (seen.transfer_encodings > 1 || !equals_ignore_case(seen.transfer_encoding, "chunked")) {
      return refuse(501, ErrorCode::unsupported, "http.transfer_encoding", "the only transfer coding taken is chunked");
    }
  }
  if (seen.hosts > 1 || (seen.hosts == 0 && head_.is_http_1_1)) {
    return refuse(400, ErrorCode::invalid_argument, "http.host", "send exactly one Host field (RFC 9112 section 3.2)");
  }
  if (seen.authorizations > 1) {
    return refuse(400, ErrorCode::invalid_argument, "http.authorization", "send at most one Authorization field");
  }
  if (!split_target(seen.request_target)) {
    return refuse(400, ErrorCode::invalid_argument, "http.target",
                  "the request target is not a path or an http URL (RFC 9112 section 3.2)");
  }
  head_.keep_alive = seen.keep_alive;
  head_.has_body = seen.has_body;
  is_chunked_ = seen.is_chunked;
  if (is_chunked_) {
    chunks_.start(limits_.max_body_bytes, limits_.max_header_bytes);
  } else {
    body_left_ = static_cast<std::size_t>(seen.body_bytes);
  }
  if (!seen.expect.empty() && head_.is_http_1_1) {
    if (!equals_ignore_case(seen.expect, "100-continue")) {
      return refuse(417, ErrorCode::unsupported, "http.expectation", "the only expectation known is 100-continue");
    }
    head_.expects_continue = true;
  }
  return Step::done;
}

bool RequestParser::split_target(std::string_view target) {
  const bool printable = std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7F' && c != '#'; });
  if (!printable) return false;
  if (target == "*") {
    head_.path = target;
    return head_.method == "OPTIONS";
  }
  if (!target.starts_with('/')) {  // absolute-form, as sent to a proxy; which host it names does not matter here
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return false;
    const std::string_view name = target.substr(0, scheme);
    if (!equals_ignore_case(name, "http") && !equals_ignore_case(name, "https")) return false;
    target.remove_prefix(scheme + 3);
    const std::size_t path = target.find_first_of("/?");
    if (path == 0 || target.empty()) return false;
    target.remove_prefix(std::min(path, target.size()));
    if (!target.starts_with('/')) {
      head_.path = "/";
      head_.query = target.empty() ? target : target.substr(1);
      return true;
    }
  }
  const std::size_t question = target.find('?');
  head_.path = target.substr(0, question);
  head_.query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  return true;
}

RequestParser::Step RequestParser::parse_body(std::string_view received, std::size_t& consumed) {
  if (!is_chunked_) {
    consumed = std::min(received.size(), body_left_);
    body_ += received.substr(0, consumed);
    body_left_ -= consumed;
    return body_left_ == 0 ? Step::done : Step::need_more;
  }
  switch (chunks_.feed(received, body_, consumed)) {
    case ChunkedBody::Step::need_more:
      return Step::need_more;
    case ChunkedBody::Step::done:
      return Step::done;
    case ChunkedBody::Step::too_large:
      return refuse(413, ErrorCode::payload_too_large, "http.body_too_large",
                    fmt::format("the request's body is longer than {} bytes", limits_.max_body_bytes));
    case ChunkedBody::Step::framing_too_large:
      return refuse(
          431, ErrorCode::payload_too_large, "http.header_too_large",
          fmt::format("chunk extensions and trailer fields are longer than {} bytes", limits_.max_header_bytes));
    case ChunkedBody::Step::malformed:
      break;
  }
  return refuse(400, ErrorCode::invalid_argument, "http.malformed_chunk", "the chunked body is malformed");
}

}  // namespace inthub::http
