#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inthub::http {

/// Takes the chunked transfer coding (RFC 9112 section 7.1) off a body. Extensions and trailer fields are skipped:
/// nothing here uses them. Every byte given is consumed until the body ends, so nothing has to be kept between calls.
/// Not thread-safe.
class ChunkedBody {
 public:
  enum class Step : std::uint8_t { need_more, done, malformed, too_large, framing_too_large };

  /// `max_framing_bytes` bounds all extensions and trailer fields together.
  void start(std::size_t max_body_bytes, std::size_t max_framing_bytes);
  /// Appends the data in `bytes` to `body`; `consumed` tells how many of `bytes` belonged to the body.
  Step feed(std::string_view bytes, std::string& body, std::size_t& consumed);

 private:
  enum class State : std::uint8_t {
    first_digit,
    size,
    extension,
    size_end,
    data,
    data_cr,
    data_lf,
    line_start,
    trailer,
    trailer_end,
    last_end
  };

  Step feed_byte(char c);

  State state_ = State::first_digit;
  std::size_t data_left_ = 0;     ///< of the chunk
  std::size_t body_left_ = 0;     ///< until the limit
  std::size_t framing_left_ = 0;  ///< until the limit
};

}  // namespace inthub::http
