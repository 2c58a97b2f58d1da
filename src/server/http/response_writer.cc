#include "server/http/response_writer.h"

#include <array>
#include <charconv>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace inthub::http {
namespace {

constexpr std::string_view kNoStore = "Cache-Control: no-store\r\n";
constexpr std::string_view kNoSniff = "X-Content-Type-Options: nosniff\r\n";

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_value(std::string& out, std::string_view value) {
  for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_value(out, name);
  out += ": ";
  append_value(out, value);
  out += "\r\n";
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

void ResponseWriter::refresh(std::chrono::steady_clock::time_point now) {
  const auto wall = std::chrono::system_clock::now();
  const auto second = std::chrono::floor<std::chrono::seconds>(wall);
  date_field_ =
      fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(std::chrono::system_clock::to_time_t(second)));
  date_expires_ =
      now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(second + std::chrono::seconds(1) - wall);
}

void ResponseWriter::append(std::string& out, const ServerResponse& response, const Form& form,
                            std::chrono::steady_clock::time_point now) {
  if (now >= date_expires_) refresh(now);
  const bool has_content = response.status != 204 && response.status != 304;
  constexpr std::size_t kHeadBytes = 384;  // of the head without a handler's own fields
  out.reserve(out.size() + kHeadBytes + (form.omit_body ? 0 : response.body.size()));
  if (response.status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::uint64_t>(response.status));
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
  }
  out += date_field_;
  if (has_content) {
    out += "Content-Type: ";
    append_value(out, response.content_type);
    out += "\r\nContent-Length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  bool own_cache_control = false;
  for (const auto& [name, value] : response.headers) {
    own_cache_control = own_cache_control || name == "Cache-Control";
    append_field(out, name, value);
  }
  if (!own_cache_control) out += kNoStore;
  out += kNoSniff;
  if (form.persistence == Persistence::close) {
    out += "Connection: close\r\n";
  } else if (form.persistence == Persistence::announce_keep) {
    out += "Connection: keep-alive\r\n";
  }
  out += "X-Request-Id: ";
  out += form.request_id;
  out += "\r\n\r\n";
  if (has_content && !form.omit_body) out += response.body;
}

}  // namespace inthub::http
