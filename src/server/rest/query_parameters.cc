#include "server/rest/query_parameters.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "foundation/json.h"
#include "foundation/redact.h"
#include "server/rest/violations.h"

namespace inthub {
namespace {

constexpr std::size_t kShownNameBytes = 64;
constexpr std::size_t kMaxNamesShown = 10;

std::unexpected<Error> malformed(std::string message) {
  return fail(Error(ErrorCode::invalid_argument, std::move(message)).with_reason("query.malformed"));
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

Result<QueryParameters> QueryParameters::read(const ServerRequest& request,
                                              std::initializer_list<std::string_view> known) {
  QueryParameters parameters;
  if (request.query.empty()) return parameters;
  auto parsed = parse_query(request.query);
  if (!parsed) return malformed("the query has a bad percent escape or too many parameters");
  std::vector<std::string> unknown;
  for (auto& [name, value] : *parsed) {
    if (std::ranges::find(known, std::string_view(name)) == known.end()) {
      if (unknown.size() < kMaxNamesShown) unknown.push_back(redact(name, {}, kShownNameBytes));
      continue;
    }
    if (!is_utf8(value) || has_control_character(value)) {
      return malformed(
          fmt::format("the value of query parameter {} is not UTF-8 text without control characters", name));
    }
    if (value.size() > kMaxValueBytes) {
      return malformed(fmt::format("the value of query parameter {} is longer than {} bytes", name, kMaxValueBytes));
    }
    const bool again = std::ranges::any_of(parameters.values_, [&](const auto& other) { return other.first == name; });
    if (again) {
      return fail(Error(ErrorCode::invalid_argument, fmt::format("query parameter {} is given twice", name))
                      .with_reason("query.duplicate_parameter")
                      .with_field(name));
    }
    parameters.values_.emplace_back(std::move(name), std::move(value));
  }
  if (!unknown.empty()) {
    return fail(Error(ErrorCode::invalid_argument, fmt::format("unknown query parameter: {}", fmt::join(unknown, ", ")))
                    .with_reason("query.unknown_parameter")
                    .with_remedy(known.size() == 0 ? std::string("this endpoint takes no query parameters")
                                                   : fmt::format("this endpoint takes: {}", fmt::join(known, ", "))));
  }
  return parameters;
}

std::optional<std::string_view> QueryParameters::find(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name && !value.empty()) return value;
  }
  return std::nullopt;
}

bool QueryParameters::flag(std::string_view name) {
  const auto value = find(name);
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  violate(name, "must be true or false", "type");
  return false;
}

std::int64_t QueryParameters::number(std::string_view name, std::int64_t least, std::int64_t most,
                                     std::int64_t fallback) {
  const auto value = find(name);
  if (!value) return fallback;
  std::int64_t parsed = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), parsed);
  const bool whole = error == std::errc() && end == value->data() + value->size();
  if (!whole || parsed < least || parsed > most) {
    violate(name, fmt::format("must be a whole number from {} to {}", least, most), "range");
    return fallback;
  }
  return parsed;
}

std::string QueryParameters::word(std::string_view name, std::initializer_list<std::string_view> words) {
  const auto value = find(name);
  if (!value) return {};
  if (std::ranges::find(words, *value) == words.end()) {
    violate(name, fmt::format("must be one of: {}", fmt::join(words, ", ")), "enum");
    return {};
  }
  return std::string(*value);
}

void QueryParameters::violate(std::string_view name, std::string message, std::string code) {
  violations_.push_back({.field = std::string(name), .message = std::move(message), .code = std::move(code)});
}

Result<void> QueryParameters::check() const {
  if (violations_.empty()) return {};
  return fail(violations_error(violations_));
}

}  // namespace inthub
