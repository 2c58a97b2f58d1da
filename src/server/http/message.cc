#include "server/http/message.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "foundation/json.h"

namespace inthub {
namespace {

constexpr std::size_t kMaxQueryParameters = 64;
constexpr std::size_t kEnvelopeBytes = 128;  ///< of everything around the data: enough to avoid a second allocation

/// RFC 3339 of now. Every answer carries one, so the part down to the second is formatted once per second and thread.
std::string_view timestamp_now() {
  struct Cache {
    std::int64_t second = -1;
    std::array<char, 24> text{};
  };
  thread_local Cache cache;
  const Timestamp now = system_clock().now();
  const std::int64_t millis = now.time_since_epoch().count();
  if (const std::int64_t second = millis / 1000; second != cache.second) {
    const std::string text = to_rfc3339(now);
    if (text.size() == cache.text.size()) std::memcpy(cache.text.data(), text.data(), text.size());
    cache.second = second;
  }
  constexpr std::size_t kMillisAt = 20;  // "2026-01-13T18:53:39." comes before them
  const auto fraction = static_cast<unsigned>(millis % 1000);
  cache.text[kMillisAt] = static_cast<char>('0' + fraction / 100);
  cache.text[kMillisAt + 1] = static_cast<char>('0' + fraction / 10 % 10);
  cache.text[kMillisAt + 2] = static_cast<char>('0' + fraction % 10);
  return {cache.text.data(), cache.text.size()};
}

void append_meta(std::string& out, const ServerRequest& request, std::string_view meta_members) {
  out += ",\"meta\":{\"requestId\":\"";
  out += request.request_id;  // its alphabet needs no escaping
  out += "\",\"timestamp\":\"";
  out += timestamp_now();
  out += '"';
  if (!meta_members.empty()) {
    out += ',';
    out += meta_members;
  }
  out += "}}";
}

/// ,"name":"value" — nothing when the value is empty.
void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, value);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode_form_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  if (!is_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (parameters.size() == kMaxQueryParameters) return std::nullopt;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = decode_form_text(pair.substr(0, equals));
    auto value = decode_form_text(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return std::nullopt;
    parameters.emplace_back(std::move(*name), std::move(*value));
  }
  return parameters;
}

ServerResponse success(const ServerRequest& request, int status, std::string_view data_json,
                       std::string_view meta_members) {
  ServerResponse response;
  response.status = status;
  response.body.reserve(data_json.size() + meta_members.size() + request.request_id.size() + kEnvelopeBytes);
  response.body += "{\"success\":true,\"data\":";
  response.body += data_json.empty() ? std::string_view("null") : data_json;
  append_meta(response.body, request, meta_members);
  return response;
}

ServerResponse failure(const ServerRequest& request, const Error& error) {
  const ErrorCodeRow& row = describe(error.code());
  ServerResponse response;
  response.status = row.http_status;
  std::string& out = response.body;
  out += "{\"success\":false,\"error\":{\"code\":\"";
  out += row.name;
  out += '"';
  if (error.code() == ErrorCode::internal) {
    // What went wrong inside is for the log: it may name files, tables or other tenants.
    append_member(out, "message", "The hub failed to handle the request.");
    append_member(out, "remedy", fmt::format("Give the operator the request id {}.", request.request_id));
  } else {
    if (error.reason() != row.name) append_member(out, "reason", error.reason());
    out += ",\"message\":";
    append_json_string(out, error.message());
    append_member(out, "remedy", error.remedy());
    append_member(out, "field", error.field());
    if (!error.details().empty()) {
      out += ",\"details\":{";
      const char* separator = "";
      for (const auto& [name, value] : error.details()) {
        out += separator;
        append_json_string(out, name);
        out += ':';
        append_json_string(out, value);
        separator = ",";
      }
      out += '}';
    }
    if (!error.violations().empty()) {
      out += ",\"validationErrors\":[";
      const char* separator = "";
      for (const Violation& violation : error.violations()) {
        out += separator;
        out += "{\"field\":";
        append_json_string(out, violation.field);
        out += ",\"message\":";
        append_json_string(out, violation.message);
        out += ",\"code\":";
        append_json_string(out, violation.code);
        out += '}';
        separator = ",";
      }
      out += ']';
    }
  }
  out += '}';
  append_meta(out, request, {});
  if (const auto wait = error.retry_after())
    response.headers.emplace_back("Retry-After", std::to_string(wait->count()));
  return response;
}

}  // namespace inthub
