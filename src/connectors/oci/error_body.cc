#include "connectors/oci/error_body.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "connectors/oci/manifest.h"
#include "foundation/json.h"
#include "foundation/redact.h"

namespace inthub::oci {
namespace {

constexpr std::size_t kMaxErrorBodyBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxDetailBytes = 200;
constexpr std::size_t kMaxPlainTextBytes = 300;
constexpr std::size_t kMaxCodeBytes = 64;

std::string text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? found->dump() : std::string();
}

std::string words_of(const Json& error) {
  std::string words = text_member(error, "code");
  if (const std::string message = text_member(error, "message"); !message.empty()) {
    words += words.empty() ? message : ": " + message;
  }
  const auto detail = error.find("detail");
  if (detail == error.end() || detail->is_null() || detail->empty()) return words;
  const std::string text = detail->is_string() ? detail->get<std::string>() : to_text(*detail);
  if (text.size() <= kMaxDetailBytes && !text.empty()) words += " (" + text + ")";
  return words;
}

/// A code as registries write them; anything else stays out of machine-readable details.
bool is_code(std::string_view text) {
  return !text.empty() && text.size() <= kMaxCodeBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

ErrorBody read_json(const Json& body) {
  ErrorBody out;
  if (!body.is_object()) return out;
  const auto errors = body.find("errors");
  if (errors != body.end() && errors->is_array()) {
    for (const Json& error : *errors) {
      if (!error.is_object() || out.codes.size() == kMaxErrors) continue;
      out.codes.push_back(text_member(error, "code"));
      if (const std::string words = words_of(error); !words.empty()) {
        out.words += out.words.empty() ? words : "; " + words;
      }
    }
    std::erase_if(out.codes, [](const std::string& code) { return !is_code(code); });
    return out;
  }
  for (const char* name : {"details", "message", "error"}) {
    if (out.words.empty()) out.words = text_member(body, name);
  }
  return out;
}

}  // namespace

ErrorBody read_error_body(const VendorResponse& response) {
  if (response.body.empty() || response.body.size() > kMaxErrorBodyBytes) return {};
  if (const auto body = parse_json(response.body, {.max_bytes = kMaxErrorBodyBytes, .max_depth = 32}))
    return read_json(*body);
  const std::string type = media_type_of(response.headers.find("Content-Type").value_or(""));
  if (type == "text/html" || response.body.find("<html") != std::string::npos ||
      response.body.find("<HTML") != std::string::npos) {
    return {.codes = {}, .words = "an HTML page, so this may be a proxy or another web server"};
  }
  ErrorBody out{.codes = {}, .words = response.body.substr(0, kMaxPlainTextBytes)};
  while (!out.words.empty() && (out.words.back() == '\n' || out.words.back() == '\r' || out.words.back() == ' ')) {
    out.words.pop_back();
  }
  return out;
}

bool has_code(const ErrorBody& body, std::string_view code) {
  return std::ranges::find(body.codes, code) != body.codes.end();
}

Error registry_error(const VendorResponse& response, std::string_view what_was_asked) {
  const ErrorBody body = read_error_body(response);
  Error error = vendor_error(response, what_was_asked, body.words);
  if (!body.codes.empty())
    error = std::move(error).with_detail("registryCodes", fmt::format("{}", fmt::join(body.codes, ",")));
  if (response.status == 412 && has_code(body, "PROJECTPOLICYVIOLATION")) {
    return std::move(error)
        .with_reason("registry.policy_violation")
        .with_remedy("the project's policy blocks this image: scan or sign it, or change the policy at the registry");
  }
  return error;
}

}  // namespace inthub::oci
