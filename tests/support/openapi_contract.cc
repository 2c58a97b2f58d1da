#include "support/openapi_contract.h"

#include <algorithm>
#include <functional>
#include <regex>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "foundation/clock.h"
#include "foundation/headers.h"
#include "foundation/ids.h"

namespace inthub::testing_support {
namespace {

using nlohmann::json;

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool has_type(const json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  throw std::logic_error("unknown type in a schema: " + type);
}

bool is_any_of(const json& value, const json& types) {
  if (types.is_string()) return has_type(value, types.get<std::string>());
  return std::ranges::any_of(types, [&](const json& type) { return has_type(value, type.get<std::string>()); });
}

bool has_format(const std::string& text, const std::string& format) {
  if (format == "uuid") return Uuid::parse(text).has_value();
  if (format == "date-time") return parse_rfc3339(text).has_value();
  throw std::logic_error("unknown format in a schema: " + format);
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

const std::set<std::string, std::less<>> kMethods{"get", "put", "post", "delete", "patch", "head", "options"};
const std::set<std::string, std::less<>> kAnnotations{"description", "example",   "examples",
                                                      "default",     "writeOnly", "title"};

}  // namespace

OpenApiContract::OpenApiContract(std::string_view text) : document_(json::parse(text)) {}

const json& OpenApiContract::resolve(const json& node) const {
  const json* current = &node;
  while (current->is_object() && current->contains("$ref")) {
    const auto ref = current->at("$ref").get<std::string>();
    if (!ref.starts_with("#/")) throw std::logic_error("a reference out of the document: " + ref);
    current = &document_.at(json::json_pointer(ref.substr(1)));
  }
  return *current;
}

std::vector<OpenApiContract::Operation> OpenApiContract::operations() const {
  std::vector<Operation> all;
  for (const auto& [path, item] : document_.at("paths").items()) {
    for (const auto& [method, operation] : item.items()) {
      if (!kMethods.contains(method)) continue;
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      all.push_back({.method = upper,
                     .path = path,
                     .permission = operation.value("x-permission", ""),
                     .takes_body = operation.contains("requestBody")});
    }
  }
  return all;
}

std::optional<std::string> OpenApiContract::template_of(std::string_view path) const {
  const auto wanted = segments_of(path);
  std::optional<std::string> best;
  for (const auto& [candidate, item] : document_.at("paths").items()) {
    if (candidate == path) return candidate;
    const auto segments = segments_of(candidate);
    const bool fits = segments.size() == wanted.size() &&
                      std::ranges::equal(segments, wanted, [](const std::string& have, const std::string& want) {
                        return have.starts_with('{') ? !want.empty() : have == want;
                      });
    if (fits) best = candidate;
  }
  return best;
}

const json* OpenApiContract::operation(std::string_view method, std::string_view path) const {
  const auto found = template_of(path.substr(0, path.find('?')));
  if (!found) return nullptr;
  const json& item = document_.at("paths").at(*found);
  // HEAD is what GET would answer, without the body.
  const std::string name = method == "HEAD" ? "get" : to_lower(method);
  const auto operation = item.find(name);
  return operation == item.end() ? nullptr : &*operation;
}

std::vector<std::string> OpenApiContract::check_answer(std::string_view method, std::string_view path,
                                                       const AnswerView& answer, bool exact_status) const {
  std::vector<std::string> problems;
  const json* documented = operation(method, path);
  if (documented == nullptr) return {std::string(method) + " " + std::string(path) + " is not documented"};
  const json& responses = documented->at("responses");
  const std::string status = std::to_string(answer.status);
  if (!responses.contains(status) && (exact_status || !responses.contains("default"))) {
    return {"status " + status + " is not documented"};
  }
  const json& response = resolve(responses.contains(status) ? responses.at(status) : responses.at("default"));
  if (response.contains("headers")) {
    for (const auto& [name, header_or_ref] : response.at("headers").items()) {
      const json& header = resolve(header_or_ref);
      const auto sent = answer.headers.find(to_lower(name));
      if (sent != answer.headers.end()) {
        check(header.at("schema"), sent->second, "header " + name, problems);
      } else if (header.value("required", false)) {
        problems.push_back("header " + name + " is missing");
      }
    }
  }
  if (method == "HEAD") return problems;
  if (!response.contains("content")) {
    if (!answer.body.empty()) problems.emplace_back("there is a body, but none is documented");
    return problems;
  }
  const auto content = response.at("content").find(std::string(answer.content_type));
  if (content == response.at("content").end()) {
    problems.push_back("the content type \"" + std::string(answer.content_type) + "\" is not documented");
    return problems;
  }
  if (answer.content_type != "application/json") return problems;
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_discarded()) {
    problems.emplace_back("the body is not JSON");
    return problems;
  }
  check(content->at("schema"), body, "", problems);
  return problems;
}

std::vector<std::string> OpenApiContract::check_request_body(std::string_view method, std::string_view path,
                                                             const json& body) const {
  const json* documented = operation(method, path);
  if (documented == nullptr) return {"not documented"};
  if (!documented->contains("requestBody")) return {"no body is documented"};
  std::vector<std::string> problems;
  check(documented->at("requestBody").at("content").at("application/json").at("schema"), body, "", problems);
  return problems;
}

// NOLINTNEXTLINE(misc-no-recursion): schemas are as deep as the value
void OpenApiContract::check(const json& schema_or_ref, const json& value, const std::string& where,
                            std::vector<std::string>& problems) const {
  const json& schema = resolve(schema_or_ref);
  const auto complain = [&](const std::string& what) {
    problems.push_back((where.empty() ? "/" : where) + ": " + what);
  };
  for (const auto& [keyword, rule] : schema.items()) {
    if (kAnnotations.contains(keyword)) continue;
    if (keyword == "type") {
      if (!is_any_of(value, rule)) complain("is not of type " + rule.dump());
    } else if (keyword == "const") {
      if (value != rule) complain("is not " + rule.dump());
    } else if (keyword == "enum") {
      if (std::ranges::find(rule, value) == rule.end()) complain("is none of " + rule.dump());
    } else if (keyword == "required") {
      for (const json& name : rule) {
        if (value.is_object() && !value.contains(name.get<std::string>())) complain("lacks " + name.dump());
      }
    } else if (keyword == "properties") {
      for (const auto& [name, property] : rule.items()) {
        if (value.is_object() && value.contains(name))
          check(property, value.at(name), fmt::format("{}/{}", where, name), problems);
      }
    } else if (keyword == "additionalProperties") {
      if (!value.is_object()) continue;
      for (const auto& [name, member] : value.items()) {
        if (schema.contains("properties") && schema.at("properties").contains(name)) continue;
        if (rule.is_object()) {
          check(rule, member, fmt::format("{}/{}", where, name), problems);
        } else if (!rule.get<bool>()) {
          complain("has the undocumented member " + name);
        }
      }
    } else if (keyword == "items") {
      if (!value.is_array()) continue;
      for (std::size_t i = 0; i < value.size(); ++i) check(rule, value.at(i), fmt::format("{}/{}", where, i), problems);
    } else if (keyword == "minimum") {
      if (value.is_number() && value.get<double>() < rule.get<double>()) complain("is below " + rule.dump());
    } else if (keyword == "maximum") {
      if (value.is_number() && value.get<double>() > rule.get<double>()) complain("is above " + rule.dump());
    } else if (keyword == "minLength") {
      if (value.is_string() && characters(value.get<std::string>()) < rule.get<std::size_t>()) complain("is too short");
    } else if (keyword == "maxLength") {
      if (value.is_string() && characters(value.get<std::string>()) > rule.get<std::size_t>()) complain("is too long");
    } else if (keyword == "minProperties") {
      if (value.is_object() && value.size() < rule.get<std::size_t>()) complain("has too few members");
    } else if (keyword == "maxProperties") {
      if (value.is_object() && value.size() > rule.get<std::size_t>()) complain("has too many members");
    } else if (keyword == "pattern") {
      if (value.is_string() &&
          !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>(), std::regex::ECMAScript))) {
        complain("does not match " + rule.dump());
      }
    } else if (keyword == "format") {
      if (value.is_string() && !has_format(value.get<std::string>(), rule.get<std::string>()))
        complain("is no " + rule.dump());
    } else {
      throw std::logic_error("a schema has the unknown keyword " + keyword);
    }
  }
}

void OpenApiContract::check_content_examples(const json& holder_or_ref, const std::string& where,
                                             std::vector<std::string>& problems) const {
  const json& holder = resolve(holder_or_ref);
  if (!holder.contains("content")) return;
  for (const auto& [type, content] : holder.at("content").items()) {
    if (!content.contains("examples")) continue;
    for (const auto& [name, example] : content.at("examples").items()) {
      check(content.at("schema"), example.at("value"), fmt::format("{} example {}", where, name), problems);
    }
  }
}

std::vector<std::string> OpenApiContract::check_examples() const {
  std::vector<std::string> problems;
  for (const auto& [path, item] : document_.at("paths").items()) {
    for (const auto& [method, operation] : item.items()) {
      const std::string where = fmt::format("{} {}", method, path);
      if (operation.contains("requestBody")) check_content_examples(operation.at("requestBody"), where, problems);
      for (const auto& [status, response] : operation.at("responses").items()) {
        check_content_examples(response, fmt::format("{} {}", where, status), problems);
      }
    }
  }
  return problems;
}

std::vector<std::string> OpenApiContract::check_references() const {
  std::vector<std::string> problems;
  std::set<std::string> used;
  const std::function<void(const json&)> walk = [&](const json& node) {
    if (node.is_object() && node.contains("$ref")) {
      const auto ref = node.at("$ref").get<std::string>();
      used.insert(ref);
      if (!document_.contains(json::json_pointer(ref.substr(1)))) problems.push_back(ref + " leads nowhere");
    }
    if (node.is_structured()) {
      for (const json& child : node) walk(child);
    }
  };
  walk(document_);
  for (const auto& [kind, components] : document_.at("components").items()) {
    if (kind == "securitySchemes") continue;
    for (const auto& [name, component] : components.items()) {
      std::string ref = "#/components/";
      ref.append(kind).append("/").append(name);
      if (!used.contains(ref)) problems.push_back(ref + " is not used");
    }
  }
  return problems;
}

}  // namespace inthub::testing_support
