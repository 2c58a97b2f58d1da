#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foundation/clock.h"

namespace inthub {

/// `text` as a JSON string. Unlike append_json_string, bytes that are not UTF-8 become U+FFFD: what a vendor said may
/// be anything.
void append_any_text(std::string& out, std::string_view text);

/// Writes one JSON object at the end of a string, without building a Json in between. Names are literals that need no
/// escaping. The constructor writes "{", end() writes "}" and must come last.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }

  JsonObject& text(std::string_view name, std::string_view value);
  /// null for an empty text: "there is none".
  JsonObject& text_or_null(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::int64_t value);
  JsonObject& number_or_null(std::string_view name, std::optional<std::int64_t> value);
  JsonObject& boolean(std::string_view name, bool value);
  JsonObject& time(std::string_view name, Timestamp value);
  JsonObject& time_or_null(std::string_view name, std::optional<Timestamp> value);
  /// In milliseconds, with as many decimals as there are microseconds.
  JsonObject& milliseconds(std::string_view name, std::chrono::microseconds value);
  JsonObject& texts(std::string_view name, const std::map<std::string, std::string>& value);
  JsonObject& texts(std::string_view name, const std::vector<std::string>& value);
  /// `json` is JSON text already.
  JsonObject& raw(std::string_view name, std::string_view json);
  /// Writes the name; the caller appends the value to the string.
  std::string& key(std::string_view name);
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

/// Writes "[a,b,c]"; `write` appends one item to `out`.
template <class Items, class Write>
void append_array(std::string& out, const Items& items, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(out, item);
  }
  out += ']';
}

}  // namespace inthub
