#include "server/http/chunked_body.h"

namespace inthub::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7F);
}

}  // namespace

void ChunkedBody::start(std::size_t max_body_bytes, std::size_t max_framing_bytes) {
  state_ = State::first_digit;
  data_left_ = 0;
  body_left_ = max_body_bytes;
  framing_left_ = max_framing_bytes;
}

ChunkedBody::Step ChunkedBody::feed(std::string_view bytes, std::string& body, std::size_t& consumed) {
  consumed = 0;
  while (consumed < bytes.size()) {
    if (state_ == State::data) {
      const std::string_view part = bytes.substr(consumed, data_left_);
      body += part;
      consumed += part.size();
      data_left_ -= part.size();
      if (data_left_ == 0) state_ = State::data_cr;
      continue;
    }
    if (const Step step = feed_byte(bytes[consumed++]); step != Step::need_more) return step;
  }
  return Step::need_more;
}

ChunkedBody::Step ChunkedBody::feed_byte(char c) {
  const auto expect = [&](char wanted, State next) {
    if (c != wanted) return Step::malformed;
    state_ = next;
    return Step::need_more;
  };
  switch (state_) {
    case State::first_digit:
    case State::size: {
      if (const int digit = hex_value(c); digit >= 0) {
        // Bounded by what the body may still hold, so the number cannot overflow, whatever comes.
        if (data_left_ > body_left_ / 16) return Step::too_large;
        data_left_ = data_left_ * 16 + static_cast<std::size_t>(digit);
        if (data_left_ > body_left_) return Step::too_large;
        // Zeros in front have no other bound.
        if (data_left_ == 0 && framing_left_-- == 0) return Step::framing_too_large;
        state_ = State::size;
        return Step::need_more;
      }
      if (state_ == State::first_digit) return Step::malformed;
      if (c == ';') {
        state_ = State::extension;
        return Step::need_more;
      }
      return expect('\r', State::size_end);
    }
    case State::extension:
      if (c == '\r') {
        state_ = State::size_end;
        return Step::need_more;
      }
      if (!is_text(c)) return Step::malformed;
      return framing_left_-- == 0 ? Step::framing_too_large : Step::need_more;
    case State::size_end:
      body_left_ -= data_left_;
      return expect('\n', data_left_ == 0 ? State::line_start : State::data);
    case State::data:
      return Step::malformed;  // feed() takes data itself
    case State::data_cr:
      return expect('\r', State::data_lf);
    case State::data_lf:
      return expect('\n', State::first_digit);
    case State::line_start:
      if (c == '\r') {
        state_ = State::last_end;
        return Step::need_more;
      }
      if (c == ' ' || c == '\t') return Step::malformed;
      state_ = State::trailer;
      [[fallthrough]];
    case State::trailer:
      if (c == '\r') {
        state_ = State::trailer_end;
        return Step::need_more;
      }
      if (!is_text(c)) return Step::malformed;
      return framing_left_-- == 0 ? Step::framing_too_large : Step::need_more;
    case State::trailer_end:
      return expect('\n', State::line_start);
    case State::last_end:
      return c == '\n' ? Step::done : Step::malformed;
  }
  return Step::malformed;
}

}  // namespace inthub::http
