#include "server/http/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "foundation/headers.h"
#include "foundation/log.h"
#include "server/http/worker.h"

namespace inthub::http {
namespace {

using boost::system::error_code;
using boost::system::system_error;
constexpr asio::use_awaitable_t<IoExecutor> kUseTask;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kProcessing = "HTTP/1.1 102 Processing\r\n\r\n";
constexpr int kClientClosedRequest = 499;

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= Connection::kMaxRequestIdBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// The trace id of a traceparent, W3C Trace Context section 3.2; empty when it has none.
std::string_view trace_id_of(std::string_view traceparent) {
  constexpr std::size_t kLength = 55;  // 00-<32 trace id>-<16 parent id>-<2 flags>
  const auto is_hex = [](std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  };
  if (traceparent.size() < kLength || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-')
    return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  if (!is_hex(version) || version == "ff" || !is_hex(trace) || !is_hex(parent) || !is_hex(traceparent.substr(53, 2)))
    return {};
  if (version == "00" ? traceparent.size() != kLength : traceparent.size() > kLength && traceparent[kLength] != '-')
    return {};
  if (trace.find_first_not_of('0') == std::string_view::npos || parent.find_first_not_of('0') == std::string_view::npos)
    return {};
  return trace;
}

bool is_json(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  return equals_ignore_case(type, "application/json");
}

void append_hex(std::string& out, const Uuid& id, bool dashes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dashes && (i == 4 || i == 6 || i == 8 || i == 10)) out += '-';
    out += kHex[id.bytes[i] >> 4];
    out += kHex[id.bytes[i] & 0x0F];
  }
}

bool is_cancellation(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

std::optional<std::string_view> Connection::Request::header(std::string_view name) const {
  for (const RequestHead::Field& field : head->fields) {
    if (equals_ignore_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

Connection::Connection(Worker& worker)
    : worker_(worker),
      parser_({.max_header_bytes = worker.shared().options.max_header_bytes,
               .max_body_bytes = worker.shared().options.max_body_bytes}),
      alarm_(*this),
      buffer_(kInitialBuffer) {
  request_.head = &parser_.head();
}

Connection::~Connection() = default;

void Connection::detach() {
  socket_.reset();
  parked_.reset();
}

void Connection::reset() {
  parser_.reset();
  phase_ = Phase::idle;
  peer_finished_ = close_after_output_ = continue_sent_ = request_ready_ = rejected_ = false;
  begin_ = end_ = sent_ = 0;
  output_.clear();
  outgoing_.clear();
  last_activity_ = request_started_ = Clock::now();
  route_ = nullptr;
  instruments_ = &worker_.shared().unrouted;
}

void Connection::open(Socket socket, const asio::ip::tcp::endpoint& peer) {
  reset();
  socket_ = std::make_unique<Socket>(std::move(socket));
  peer_address_ = peer.address().to_string();
  request_.peer_address = peer_address_;
  error_code ignored;
  socket_->non_blocking(true, ignored);
  socket_->set_option(asio::ip::tcp::no_delay(true), ignored);
  drive();
}

void Connection::open_to_reject(Socket socket) {
  reset();
  rejected_ = true;
  socket_ = std::make_unique<Socket>(std::move(socket));
  error_code ignored;
  socket_->non_blocking(true, ignored);
  identify({}, {});
  close_after_output_ = true;
  refuse(503, Error(ErrorCode::unavailable,
                    fmt::format("more than {} connections are open", worker_.shared().options.max_connections))
                  .with_reason("http.too_many_connections")
                  .with_remedy("try again later, and reuse connections")
                  .with_retry_after(std::chrono::seconds(1)));
  drive();
}

void Connection::begin_drain() {
  if (phase_ == Phase::idle && begin_ == end_ && !write_pending_ && output_.empty()) close();
}

void Connection::cut_short() {
  if (phase_ == Phase::running) {
    cancel_handler(CancelReason::shutdown);
  } else {
    close();
  }
}

// ---------------------------------------------------------------------------------------------------------- receiving

void Connection::drive() {
  while (advance()) {
    run_handler();
    if (phase_ == Phase::running) {
      // The handler waits for something; answers to the requests before it must not wait with it.
      flush();
      set_deadline();
      break;
    }
  }
  retire_if_done();
}

bool Connection::advance() {
  for (;;) {
    if (phase_ == Phase::closed || phase_ == Phase::lingering || phase_ == Phase::running) return false;
    if (!write_pending_ && output_.size() >= kFlushThreshold) flush();
    if (close_after_output_ && phase_ == Phase::idle && !write_pending_) flush();
    if (phase_ == Phase::closed) return false;
    if (write_pending_) {
      set_deadline();
      return false;
    }
    if (close_after_output_ && phase_ == Phase::idle) {
      linger();
      return false;
    }
    switch (parse()) {
      case Parsed::ready:
        return true;
      case Parsed::answered:
        break;
      case Parsed::need_more:
        flush();
        if (phase_ == Phase::closed) return false;
        if (peer_finished_ && !write_pending_) {
          close();
          return false;
        }
        if (worker_.is_draining() && phase_ == Phase::idle && !write_pending_) {
          linger();
          return false;
        }
        arm_read();
        set_deadline();
        return false;
    }
  }
}

Connection::Parsed Connection::parse() {
  if (phase_ == Phase::body) return parse_body();
  if (phase_ == Phase::idle) {
    make_room();
    // RFC 9112 section 2.2: an empty line before the request line is skipped.
    if (end_ - begin_ >= 2 && buffer_[begin_] == '\r' && buffer_[begin_ + 1] == '\n') begin_ += 2;
    if (begin_ == end_ || (end_ - begin_ == 1 && buffer_[begin_] == '\r')) return Parsed::need_more;
    parser_.reset();
  }
  std::size_t consumed = 0;
  switch (parser_.parse_head(std::string_view(buffer_.data() + begin_, end_ - begin_), consumed)) {
    case RequestParser::Step::need_more:
      if (phase_ == Phase::idle) {
        phase_ = Phase::head;
        phase_deadline_ = Clock::now() + worker_.shared().options.header_timeout;
      }
      make_room();
      return Parsed::need_more;
    case RequestParser::Step::refused:
      request_started_ = Clock::now();
      instruments_ = &worker_.shared().unrouted;
      identify({}, {});
      close_after_output_ = true;
      refuse(parser_.refusal().status, parser_.refusal().error);
      return Parsed::answered;
    case RequestParser::Step::done:
      break;
  }
  begin_ += consumed;
  return accept_head();
}

Connection::Parsed Connection::accept_head() {
  const RequestHead& head = parser_.head();
  const Shared& shared = worker_.shared();
  request_started_ = Clock::now();
  request_.method = head.method;
  request_.path = head.path;
  request_.query = head.query;
  request_.body = {};
  request_.deadline = request_started_ + shared.options.request_timeout;
  request_.principal = Principal{};
  identify(head.request_id, head.traceparent);
  close_after_output_ =
      head.has_body;  // an answer before the body has been read leaves no way to find the next request

  Router::Match match = shared.router.match(head.method, head.path);
  request_.parameters = std::move(match.parameters);
  route_ = match.route;
  if (!route_) {
    instruments_ = &shared.unrouted;
    if (!match.allow.empty()) {
      ServerResponse response =
          failure(request_, Error(ErrorCode::invalid_argument, fmt::format("this resource knows only {}", match.allow))
                                .with_reason("http.method_not_allowed"));
      response.status = 405;
      response.headers.emplace_back("Allow", std::move(match.allow));
      respond(response);
    } else if (match.bad_escape) {
      refuse(400,
             Error(ErrorCode::invalid_argument, "the path has a malformed escape, a control character or is not UTF-8")
                 .with_reason("http.target")
                 .with_remedy("percent-encode the UTF-8 bytes of names in paths"));
    } else {
      refuse(404, Error(ErrorCode::not_found, "there is no such resource").with_reason("http.no_route"));
    }
    return Parsed::answered;
  }
  instruments_ = &shared.routes[route_->number];
  if (route_->needs && !authorize(*route_->needs)) return Parsed::answered;
  if (head.has_body && route_->takes_body && !is_json(head.content_type)) {
    refuse(415, Error(ErrorCode::unsupported_media_type, "the body must be JSON")
                    .with_reason("http.content_type")
                    .with_remedy("send Content-Type: application/json"));
    return Parsed::answered;
  }
  close_after_output_ = false;
  if (!head.has_body) return Parsed::ready;
  phase_ = Phase::body;
  phase_deadline_ = request_started_ + shared.options.body_timeout;
  body_floor_ = begin_;
  continue_sent_ = false;
  return parse_body();
}

bool Connection::authorize(Permission needed) {
  try {
    Result<Principal> principal = worker_.shared().authenticate(parser_.head().authorization);
    if (!principal) {
      ServerResponse response = failure(request_, principal.error());
      if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
      respond(response);
      return false;
    }
    if (principal->permission < needed) {
      refuse(403,
             Error(ErrorCode::permission_denied, fmt::format("this needs the permission \"{}\"; the token has \"{}\"",
                                                             name_of(needed), name_of(principal->permission)))
                 .with_remedy("use a token with that permission"));
      return false;
    }
    request_.principal = *principal;
    return true;
  } catch (...) {
    log::exception("authentication of a request", std::current_exception());
    refuse(500, Error(ErrorCode::internal, "authentication failed unexpectedly"));
    return false;
  }
}

Connection::Parsed Connection::parse_body() {
  std::size_t consumed = 0;
  const auto step = parser_.parse_body(std::string_view(buffer_.data() + begin_, end_ - begin_), consumed);
  begin_ += consumed;
  switch (step) {
    case RequestParser::Step::done:
      request_.body = parser_.body();
      return Parsed::ready;
    case RequestParser::Step::refused:
      close_after_output_ = true;
      refuse(parser_.refusal().status, parser_.refusal().error);
      return Parsed::answered;
    case RequestParser::Step::need_more:
      break;
  }
  if (!read_pending_) begin_ = end_ = body_floor_;  // all of it was consumed
  if (parser_.head().expects_continue && !continue_sent_ && parser_.body().empty() && begin_ == end_) {
    continue_sent_ = true;
    output_ += kContinue;
  }
  return Parsed::need_more;
}

void Connection::make_room() {
  // A pending read has its place in the buffer; with none pending, no request being handled looks into it either.
  if (read_pending_) return;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ + kBodyRoom >= buffer_.size()) {
    const std::size_t largest = worker_.shared().options.max_header_bytes + kBodyRoom;
    buffer_.resize(std::max(std::min(buffer_.size() * 2, largest), end_ + kBodyRoom + 1));
  }
}

void Connection::arm_read() {
  if (read_pending_ || peer_finished_) return;
  if (phase_ == Phase::lingering) begin_ = end_ = 0;
  const bool may_fill = phase_ == Phase::body || phase_ == Phase::lingering;
  const std::size_t limit = may_fill ? buffer_.size() : buffer_.size() - kBodyRoom;
  if (end_ >= limit) return;  // only while a handler runs, behind a pile of pipelined requests
  read_pending_ = true;
  socket_->async_read_some(asio::mutable_buffer(buffer_.data() + end_, limit - end_),
                           [this](const error_code& error, std::size_t size) { on_read(error, size); });
}

void Connection::on_read(const error_code& error, std::size_t size) {
  read_pending_ = false;
  if (phase_ == Phase::closed) {
    retire_if_done();
    return;
  }
  if (error == asio::error::eof) {
    peer_finished_ = true;
    on_end_of_stream();
    return;
  }
  if (error) {
    peer_finished_ = true;
    if (phase_ == Phase::running) {
      cancel_handler(CancelReason::client_gone);
    } else {
      close();
    }
    return;
  }
  if (phase_ == Phase::lingering) {
    arm_read();
    return;
  }
  end_ += size;
  if (phase_ == Phase::running) {
    arm_read();
    return;
  }
  drive();
}

void Connection::on_end_of_stream() {
  if (phase_ != Phase::running) {
    if (phase_ == Phase::lingering) {
      close();
    } else {
      drive();
    }
    return;
  }
  if (!parser_.head().is_http_1_1) return;
  output_ += kProcessing;
  reset_watch_pending_ = true;
  socket_->async_wait(Socket::wait_error, [this](const error_code& error) {
    reset_watch_pending_ = false;
    if (!error && phase_ == Phase::running) cancel_handler(CancelReason::client_gone);
    retire_if_done();
  });
  flush();
}

// ------------------------------------------------------------------------------------------------------------ sending

void Connection::respond(const ServerResponse& response) {
  const auto now = Clock::now();
  const RequestHead& head = parser_.head();
  if (!head.keep_alive || worker_.is_draining()) close_after_output_ = true;
  ResponseWriter::Form form{.request_id = request_id_, .omit_body = head.method == "HEAD"};
  if (close_after_output_) {
    form.persistence = ResponseWriter::Persistence::close;
  } else if (!head.is_http_1_1) {
    form.persistence = ResponseWriter::Persistence::announce_keep;
  }
  worker_.writer().append(output_, response, form, now);
  last_activity_ = now;
  record(response.status, now);
  phase_ = Phase::idle;
}

void Connection::refuse(int status, const Error& error) {
  ServerResponse response = failure(request_, error);
  response.status = status;
  respond(response);
}

void Connection::record(int status, Clock::time_point now) {
  const auto status_class = static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1);
  instruments_->by_status_class[status_class]->add();
  instruments_->duration->observe(std::chrono::duration<double>(now - request_started_).count());
}

void Connection::identify(std::string_view client_request_id, std::string_view traceparent) {
  const std::string_view client_trace_id = trace_id_of(traceparent);
  const bool takes_client_id = is_request_id(client_request_id);
  Uuid fresh;
  if (!takes_client_id || client_trace_id.empty()) fresh = Uuid::make(system_clock(), worker_.random());
  request_id_.clear();
  if (takes_client_id) {
    request_id_ = client_request_id;
  } else {
    append_hex(request_id_, fresh, true);
  }
  trace_id_.clear();
  if (client_trace_id.empty()) {
    append_hex(trace_id_, fresh, false);
  } else {
    trace_id_ = client_trace_id;
  }
  request_.request_id = request_id_;
  request_.trace_id = trace_id_;
}

void Connection::flush() {
  if (write_pending_ || output_.empty()) return;
  error_code error;
  sent_ = 0;
  while (sent_ < output_.size()) {
    sent_ += socket_->write_some(asio::const_buffer(output_.data() + sent_, output_.size() - sent_), error);
    if (error) break;
  }
  if (error == asio::error::would_block) {
    outgoing_.swap(output_);
    output_.clear();
    write_deadline_ = Clock::now() + worker_.shared().options.write_timeout;
    write_outgoing();
    return;
  }
  output_.clear();
  if (output_.capacity() > kRetainedOutput) output_.shrink_to_fit();
  if (!error) return;
  if (phase_ == Phase::running) {
    cancel_handler(CancelReason::client_gone);
  } else {
    close();
  }
}

void Connection::write_outgoing() {
  write_pending_ = true;
  asio::async_write(*socket_, asio::const_buffer(outgoing_.data() + sent_, outgoing_.size() - sent_),
                    [this](const error_code& error, std::size_t size) { on_written(error, size); });
}

void Connection::on_written(const error_code& error, std::size_t /*size*/) {
  write_pending_ = false;
  outgoing_.clear();
  if (outgoing_.capacity() > kRetainedOutput) outgoing_.shrink_to_fit();
  if (phase_ == Phase::closed) {
    retire_if_done();
    return;
  }
  if (error) {
    if (phase_ == Phase::running) {
      cancel_handler(CancelReason::client_gone);
    } else {
      close();
    }
    return;
  }
  last_activity_ = Clock::now();
  if (phase_ == Phase::running) {
    flush();
    set_deadline();
    return;
  }
  drive();
}

// ----------------------------------------------------------------------------------------------------------- handlers

void Connection::run_handler() {
  phase_ = Phase::running;
  request_ready_ = true;
  worker_.note_in_flight(1);
  arm_read();
  driving_ = true;
  if (parked_) {
    runner_ = Runner::active;
    ParkedRunner runner = std::move(*parked_);
    parked_.reset();
    std::move(runner)();
  } else {
    runner_ = Runner::active;
    asio::co_spawn(worker_.context().get_executor(), serve_requests(),
                   asio::bind_cancellation_slot(cancellation_.slot(),
                                                [this](const std::exception_ptr& error) { on_runner_ended(error); }));
  }
  driving_ = false;
}

Task<void> Connection::park() {
  return asio::async_initiate<const asio::use_awaitable_t<IoExecutor>, void()>(
      [this](auto&& handler) {
        parked_.emplace(std::forward<decltype(handler)>(handler));
        runner_ = Runner::parked;
      },
      kUseTask);
}

Task<void> Connection::serve_requests() {
  for (;;) {
    if (!request_ready_) co_await park();
    request_ready_ = false;
    // A handler may have shielded itself from cancellation; that must not outlast it.
    co_await asio::this_coro::reset_cancellation_state();
    ServerResponse response;
    std::exception_ptr thrown;
    try {
      response = co_await route_->handler(request_);
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) {
      if (cancel_reason_ != CancelReason::none && is_cancellation(thrown)) {
        response = answer_to_cancelled();
      } else {
        log::error("a request handler failed",
                   {{"requestId", request_id_}, {"method", route_->method}, {"route", route_->path}});
        log::exception("request handler", thrown);
        response = failure(request_, Error(ErrorCode::internal, "a request handler failed"));
      }
    }
    finish(response);
    if (!driving_) {
      continuation_pending_ = true;
      asio::post(worker_.context(), [this] {
        continuation_pending_ = false;
        drive();
      });
    }
    // A cancelled coroutine stays cancelled; the connection closes with it.
    if (cancel_reason_ != CancelReason::none) co_return;
  }
}

ServerResponse Connection::answer_to_cancelled() {
  if (cancel_reason_ == CancelReason::deadline) {
    return failure(
        request_,
        Error(ErrorCode::deadline_exceeded, "the answer was not ready in time").with_reason("http.request_timeout"));
  }
  return failure(request_, Error(ErrorCode::unavailable, "the hub is stopping")
                               .with_reason("http.stopping")
                               .with_remedy("send the request again in a moment"));
}

void Connection::finish(const ServerResponse& response) {
  worker_.note_in_flight(-1);
  if (cancel_reason_ == CancelReason::client_gone) {
    record(kClientClosedRequest, Clock::now());
    close();
    return;
  }
  if (cancel_reason_ != CancelReason::none) close_after_output_ = true;
  respond(response);
}

void Connection::on_runner_ended(const std::exception_ptr& error) {
  runner_ = Runner::none;
  if (error && !is_cancellation(error)) log::exception("connection", error);
  if (error) close();
  retire_if_done();
}

void Connection::cancel_handler(CancelReason reason) {
  if (cancel_reason_ != CancelReason::none) return;
  cancel_reason_ = reason;
  cancellation_.emit(asio::cancellation_type::terminal);
}

// ------------------------------------------------------------------------------------------------- deadlines and ends

void Connection::set_deadline() {
  Clock::time_point deadline = Clock::time_point::max();
  switch (phase_) {
    case Phase::closed:
      return;
    case Phase::idle:
      deadline = write_pending_ ? deadline : last_activity_ + worker_.shared().options.idle_timeout;
      break;
    case Phase::head:
    case Phase::body:
    case Phase::lingering:
      deadline = phase_deadline_;
      break;
    case Phase::running:
      deadline = request_.deadline + kDeadlineGrace;
      break;
  }
  if (write_pending_) deadline = std::min(deadline, write_deadline_);
  worker_.wheel().set(alarm_, deadline);
}

void Connection::on_timeout() {
  const auto now = Clock::now();
  if (write_pending_ && now >= write_deadline_) {
    if (phase_ == Phase::running) {
      cancel_handler(CancelReason::client_gone);
    } else {
      close();
    }
    return;
  }
  switch (phase_) {
    case Phase::closed:
      return;
    case Phase::idle:
    case Phase::lingering:
      close();
      return;
    case Phase::head:
      request_started_ = now;
      instruments_ = &worker_.shared().unrouted;
      identify({}, {});
      [[fallthrough]];
    case Phase::body:
      close_after_output_ = true;
      refuse(408, Error(ErrorCode::deadline_exceeded, "the request did not arrive completely in time")
                      .with_reason("http.request_incomplete"));
      drive();
      return;
    case Phase::running:
      cancel_handler(CancelReason::deadline);
      return;
  }
}

void Connection::linger() {
  if (peer_finished_ || worker_.is_cut_short()) {
    close();
    return;
  }
  error_code error;
  socket_->shutdown(Socket::shutdown_send, error);
  if (error) {
    close();
    return;
  }
  phase_ = Phase::lingering;
  phase_deadline_ = Clock::now() + kLinger;
  arm_read();
  set_deadline();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  TimerWheel::clear(alarm_);
  error_code ignored;
  socket_->close(ignored);
  retire_if_done();
}

void Connection::retire_if_done() {
  const bool referred_to = read_pending_ || write_pending_ || reset_watch_pending_ || continuation_pending_ ||
                           runner_ == Runner::active || driving_;
  if (phase_ != Phase::closed || referred_to || !socket_) return;
  socket_.reset();
  worker_.retire(*this);
}

}  // namespace inthub::http
