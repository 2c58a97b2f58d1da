#include "foundation/json_schema.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
// valijson's headers trip the warnings that this project treats as errors.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#pragma clang diagnostic pop

namespace inthub {
namespace {

constexpr std::size_t kMaxViolations = 100;

/// valijson's wording of a failure, and our code for it. Wrapping failures ("the property failed") carry no news of
/// their own and have no row: the inner failure is reported.
struct Wording {
  std::string_view begins;
  std::string_view code;
};
constexpr std::array kWordings{
    Wording{"Missing required property '", "required"},
    Wording{"Object contains a property that could not be validated", "unknown_field"},
    Wording{"Value type not permitted", "type"},
    Wording{"Failed to match against any enum values", "enum"},
    Wording{"Failed to match expected value set by 'const'", "enum"},
    Wording{"Failed to match regex", "pattern"},
    Wording{"Expected number greater than", "minimum"},
    Wording{"Expected number less than", "maximum"},
    Wording{"String should be no fewer than", "min_length"},
    Wording{"String should be no more than", "max_length"},
    Wording{"String should be a valid", "format"},
    Wording{"Array should contain no fewer than", "min_items"},
    Wording{"Array should contain no more than", "max_items"},
    Wording{"Object should have no fewer than", "min_items"},
    Wording{"Object should have no more than", "max_items"},
    Wording{"Elements at indexes", "unique"},
    Wording{"Missing dependency '", "required"},
    Wording{"Failed to validate against any schemas allowed by anyOf", "schema"},
    Wording{"Failed to validate against any child schemas allowed by oneOf", "schema"},
    Wording{"Failed to validate against exactly one child schema", "schema"},
    Wording{"Target value and comparison value are not equal", "enum"},
    Wording{"Target should not validate", "schema"},
    Wording{"Value should be a multiple of", "type"},
};

std::string_view code_of(std::string_view description) {
  for (const Wording& wording : kWordings) {
    if (description.starts_with(wording.begins)) return wording.code;
  }
  return {};
}

std::string_view between_quotes(std::string_view text) {
  const std::size_t last = text.rfind('\'');
  if (last == std::string_view::npos || last == 0) return {};
  const std::size_t first = text.starts_with("Object contains") ? text.find(": '") + 2 : text.find('\'');
  return first < last ? text.substr(first + 1, last - first - 1) : std::string_view();
}

/// The part of the schema that speaks of one place of the document; walks properties, additionalProperties and items.
const Json* schema_at(const Json& schema, const std::vector<std::string>& tokens) {
  const Json* at = &schema;
  for (const std::string& token : tokens) {
    if (!at->is_object()) return nullptr;
    if (const auto properties = at->find("properties"); properties != at->end() && properties->contains(token)) {
      at = &(*properties)[token];
    } else if (const auto items = at->find("items"); items != at->end() && items->is_object()) {
      at = &*items;
    } else if (const auto more = at->find("additionalProperties"); more != at->end() && more->is_object()) {
      at = &*more;
    } else {
      return nullptr;
    }
  }
  return at;
}

std::string words(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return to_text(value);
  std::vector<std::string> all;
  for (const Json& item : value) all.push_back(words(item));
  return fmt::format("{}", fmt::join(all, ", "));
}

std::string rule(const Json* schema, std::string_view code, std::string_view description) {
  const auto named = [&](const char* keyword) -> std::string {
    return schema != nullptr && schema->contains(keyword) ? words((*schema)[keyword]) : std::string();
  };
  if (code == "type" && !named("type").empty()) return fmt::format("must be of type {}", named("type"));
  if (code == "enum" && !named("enum").empty()) return fmt::format("must be one of: {}", named("enum"));
  if (code == "pattern") {
    const std::string hint = named("description");
    return hint.empty() ? fmt::format("must match the pattern {}", named("pattern"))
                        : fmt::format("must match the pattern {} ({})", named("pattern"), hint);
  }
  if (code == "minimum" && !named("minimum").empty()) return fmt::format("must be at least {}", named("minimum"));
  if (code == "minimum") return fmt::format("must be greater than {}", named("exclusiveMinimum"));
  if (code == "maximum" && !named("maximum").empty()) return fmt::format("must be at most {}", named("maximum"));
  if (code == "min_length") return fmt::format("must have at least {} characters", named("minLength"));
  if (code == "max_length") return fmt::format("must have at most {} characters", named("maxLength"));
  if (code == "min_items") return "has too few entries";
  if (code == "max_items") return "has too many entries";
  if (code == "unique") return "must not contain an entry twice";
  if (code == "schema") return "fits none of the allowed forms";
  return std::string(description);
}

}  // namespace

struct JsonSchema::Impl {
  JsonPtr source;
  valijson::Schema compiled;
};

JsonSchema::JsonSchema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

Result<JsonSchema> JsonSchema::compile(JsonPtr schema) {
  auto impl = std::make_unique<Impl>();
  impl->source = std::move(schema);
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(*impl->source), impl->compiled);
  } catch (const std::exception& error) {
    return fail(ErrorCode::invalid_argument, fmt::format("not a usable JSON Schema: {}", error.what()));
  }
  return JsonSchema(std::move(impl));
}

std::vector<Violation> JsonSchema::check(const Json& document, std::string_view prefix) const {
  valijson::ValidationResults results;
  // Weak types would accept "30" for a number: a wizard's convenience that hides mistakes in files.
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  if (validator.validate(impl_->compiled, valijson::adapters::NlohmannJsonAdapter(document), &results)) return {};

  std::vector<Violation> violations;
  for (const auto& failure : results) {
    const std::string_view code = code_of(failure.description);
    if (code.empty()) continue;
    std::vector<std::string> tokens;
    for (const std::string& part : failure.context) {
      if (part.size() >= 2 && part.front() == '[') {
        std::string_view token(part);
        token = token.substr(1, token.size() - 2);
        if (token.size() >= 2 && token.front() == '"') token = token.substr(1, token.size() - 2);
        tokens.emplace_back(token);
      }
    }
    std::string message;
    if (code == "required" || code == "unknown_field") {
      const std::string name(between_quotes(failure.description));
      if (code == "required") {
        const Json* owner = schema_at(*impl_->source, tokens);
        tokens.push_back(name);
        const Json* wanted = owner == nullptr ? nullptr : schema_at(*impl_->source, tokens);
        message = wanted != nullptr && wanted->contains("description")
                      ? fmt::format("is required: {}", words((*wanted)["description"]))
                      : "is required";
      } else {
        const Json* owner = schema_at(*impl_->source, tokens);
        std::vector<std::string> known;
        if (owner != nullptr && owner->contains("properties")) {
          for (const auto& [key, unused] : (*owner)["properties"].items()) known.push_back(key);
        }
        tokens.push_back(name);
        message = fmt::format("is not a known member; known are: {}", fmt::join(known, ", "));
      }
    } else {
      message = rule(schema_at(*impl_->source, tokens), code, failure.description);
    }
    std::string pointer(prefix);
    for (const std::string& token : tokens) pointer += "/" + pointer_token(token);
    violations.push_back(
        Violation{.field = std::move(pointer), .message = std::move(message), .code = std::string(code)});
    if (violations.size() == kMaxViolations) break;
  }
  if (violations.empty()) {
    violations.push_back(Violation{.field = std::string(prefix), .message = "breaks the schema", .code = "schema"});
  }
  std::ranges::sort(violations, {}, [](const Violation& v) { return std::tie(v.field, v.code, v.message); });
  const auto twins = std::ranges::unique(violations);
  violations.erase(twins.begin(), twins.end());
  return violations;
}

}  // namespace inthub
