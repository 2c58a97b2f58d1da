#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "cli/input.h"

namespace inthub {
namespace {

Error bad_document(const YAML::Mark& mark, std::string_view rule) {
  if (mark.is_null()) return Error(ErrorCode::invalid_argument, std::string(rule)).with_reason("cli.bad_document");
  return Error(ErrorCode::invalid_argument, fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, rule))
      .with_reason("cli.bad_document");
}

/// The core schema of YAML 1.2, section 10.3.2, without octal and hexadecimal: JSON has none, and 0123 is more often a
/// text.
Json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const bool negative = text.front() == '-';
  const std::size_t digits = negative ? 1 : 0;
  const bool leading_zero = text.size() > digits + 1 && text[digits] == '0' && text[digits + 1] != '.';
  if (!leading_zero && text.find_first_not_of("0123456789", digits) == std::string::npos && text.size() > digits) {
    std::int64_t number = 0;
    if (const auto [rest, error] = std::from_chars(begin, end, number); error == std::errc() && rest == end)
      return number;
  }
  if (!leading_zero && text.find_first_not_of("0123456789.eE+-") == std::string::npos &&
      text.find_first_of("0123456789") != std::string::npos) {
    double number = 0;
    if (const auto [rest, error] = std::from_chars(begin, end, number);
        error == std::errc() && rest == end && std::isfinite(number)) {
      return number;
    }
  }
  return text;
}

class Converter {
 public:
  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxConfigDepth
  Result<Json> convert(const YAML::Node& node, std::size_t depth) {
    if (depth > kMaxConfigDepth)
      return fail(bad_document(node.Mark(), fmt::format("nested deeper than {} levels", kMaxConfigDepth)));
    if (++values_ > kMaxConfigValues) {
      return fail(
          Error(ErrorCode::payload_too_large, fmt::format("more than {} values, aliases included", kMaxConfigValues))
              .with_reason("cli.input_too_large"));
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        // "!" is the tag of a quoted scalar, "?" of a plain one.
        if (node.Tag() == "?" || node.Tag().empty()) return plain_scalar(node.Scalar());
        if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return Json(node.Scalar());
        return fail(bad_document(node.Mark(), "tags are not supported"));
      case YAML::NodeType::Sequence:
        return sequence(node, depth);
      case YAML::NodeType::Map:
        return map(node, depth);
      default:
        return Json();
    }
  }

 private:
  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxConfigDepth
  Result<Json> sequence(const YAML::Node& node, std::size_t depth) {
    Json list = Json::array();
    for (const YAML::Node& entry : node) {
      Result<Json> value = convert(entry, depth + 1);
      if (!value) return value;
      list.push_back(std::move(*value));
    }
    return list;
  }
  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxConfigDepth
  Result<Json> map(const YAML::Node& node, std::size_t depth) {
    Json object = Json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar())
        return fail(bad_document(entry.first.Mark(), "a key must be a plain word or a string"));
      const std::string& key = entry.first.Scalar();
      if (object.contains(key)) return fail(bad_document(entry.first.Mark(), "the key appears twice in one object"));
      Result<Json> value = convert(entry.second, depth + 1);
      if (!value) return value;
      object[key] = std::move(*value);
    }
    return object;
  }

  std::size_t values_ = 0;
};

}  // namespace

Result<Json> parse_document(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) {
    return parse_json(text, {.max_bytes = kMaxConfigBytes, .max_depth = kMaxConfigDepth});
  }
  if (!is_utf8(text)) return fail(Error(ErrorCode::invalid_argument, "not UTF-8").with_reason("cli.bad_document"));
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() != 1) {
      return fail(Error(ErrorCode::invalid_argument,
                        fmt::format("one document is expected, but there are {}", documents.size()))
                      .with_reason("cli.bad_document"));
    }
    return Converter().convert(documents.front(), 1);
  } catch (const YAML::Exception& malformed) {
    // malformed.what() can quote the text; the position is enough to find the place.
    return fail(bad_document(malformed.mark, "not well-formed YAML"));
  }
}

}  // namespace inthub
