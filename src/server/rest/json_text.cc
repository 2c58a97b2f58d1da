#include "server/rest/json_text.h"

#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/json.h"

namespace inthub {

void append_any_text(std::string& out, std::string_view text) {
  if (is_utf8(text)) {
    append_json_string(out, text);
  } else {
    out += to_text(Json(text));
  }
}

std::string& JsonObject::key(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += name;
  out_ += "\":";
  return out_;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  append_any_text(key(name), value);
  return *this;
}

JsonObject& JsonObject::text_or_null(std::string_view name, std::string_view value) {
  return value.empty() ? raw(name, "null") : text(name, value);
}

JsonObject& JsonObject::number(std::string_view name, std::int64_t value) {
  fmt::format_to(std::back_inserter(key(name)), "{}", value);
  return *this;
}

JsonObject& JsonObject::number_or_null(std::string_view name, std::optional<std::int64_t> value) {
  return value ? number(name, *value) : raw(name, "null");
}

JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

JsonObject& JsonObject::time(std::string_view name, Timestamp value) {
  return text(name, to_rfc3339(value));
}

JsonObject& JsonObject::time_or_null(std::string_view name, std::optional<Timestamp> value) {
  return value ? time(name, *value) : raw(name, "null");
}

JsonObject& JsonObject::milliseconds(std::string_view name, std::chrono::microseconds value) {
  const auto whole = value.count() / 1000;
  const auto rest = value.count() % 1000;
  if (rest == 0) return number(name, whole);
  fmt::format_to(std::back_inserter(key(name)), "{}", static_cast<double>(value.count()) / 1000.0);
  return *this;
}

JsonObject& JsonObject::texts(std::string_view name, const std::map<std::string, std::string>& value) {
  std::string& out = key(name);
  out += '{';
  bool first = true;
  for (const auto& [member, content] : value) {
    if (!first) out += ',';
    first = false;
    append_any_text(out, member);
    out += ':';
    append_any_text(out, content);
  }
  out += '}';
  return *this;
}

JsonObject& JsonObject::texts(std::string_view name, const std::vector<std::string>& value) {
  append_array(key(name), value, [](std::string& out, const std::string& item) { append_any_text(out, item); });
  return *this;
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  key(name) += json;
  return *this;
}

}  // namespace inthub
