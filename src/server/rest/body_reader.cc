#include "server/rest/body_reader.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "foundation/redact.h"
#include "foundation/secret.h"

namespace inthub {
namespace {

constexpr std::size_t kShownNameBytes = 64;

std::string_view type_name_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

// NOLINTNEXTLINE(misc-no-recursion): parse_json bounds the depth
void wipe_strings(Json& value) {
  if (value.is_string()) {
    wipe(value.get_ref<std::string&>());
  } else if (value.is_structured()) {
    for (Json& child : value) wipe_strings(child);
  }
}

}  // namespace

ObjectReader::ObjectReader(Json& object, std::string pointer, std::vector<Violation>& violations)
    : object_(&object), pointer_(std::move(pointer)), violations_(violations) {
  if (!object.is_object()) {
    violations_.push_back({.field = pointer_,
                           .message = fmt::format("must be an object, but is {}", type_name_of(object)),
                           .code = "type"});
    object_ = nullptr;
  }
}

std::string ObjectReader::pointer_to(std::string_view name) const {
  return fmt::format("{}/{}", pointer_, pointer_token(name));
}

void ObjectReader::violate(std::string_view name, std::string message, std::string code) {
  if (violations_.size() >= kMaxViolations) return;
  violations_.push_back({.field = pointer_to(name), .message = std::move(message), .code = std::move(code)});
}

Json* ObjectReader::find(std::string_view name, bool required) {
  known_.push_back(name);
  if (object_ == nullptr) return nullptr;
  const auto found = object_->find(name);
  if (found != object_->end()) return &*found;
  if (required) violate(name, "is required", "required");
  return nullptr;
}

std::string* ObjectReader::required_text(std::string_view name) {
  Json* member = find(name, true);
  if (member == nullptr) return nullptr;
  if (member->is_string()) return member->get_ptr<std::string*>();
  violate(name, fmt::format("must be a string, but is {}", type_name_of(*member)), "type");
  return nullptr;
}

std::string* ObjectReader::optional_text(std::string_view name) {
  Json* member = find(name, false);
  if (member == nullptr) return nullptr;
  if (member->is_string()) return member->get_ptr<std::string*>();
  violate(name, fmt::format("must be a string, but is {}; leave it out when there is none", type_name_of(*member)),
          "type");
  return nullptr;
}

std::optional<bool> ObjectReader::optional_flag(std::string_view name) {
  const Json* member = find(name, false);
  if (member == nullptr) return std::nullopt;
  if (member->is_boolean()) return member->get<bool>();
  violate(name, fmt::format("must be true or false, but is {}", type_name_of(*member)), "type");
  return std::nullopt;
}

Json* ObjectReader::required_object(std::string_view name) {
  Json* member = find(name, true);
  if (member == nullptr || member->is_object()) return member;
  violate(name, fmt::format("must be an object, but is {}", type_name_of(*member)), "type");
  return nullptr;
}

Json* ObjectReader::optional_member(std::string_view name) {
  return find(name, false);
}

void ObjectReader::refuse_unknown_members() {
  if (object_ == nullptr) return;
  for (const auto& [name, ignored] : object_->items()) {
    if (std::ranges::find(known_, std::string_view(name)) != known_.end()) continue;
    violate(redact(name, {}, kShownNameBytes), fmt::format("is not known here; known are: {}", fmt::join(known_, ", ")),
            "unknown_field");
  }
}

Result<JsonBody> JsonBody::parse(const ServerRequest& request) {
  if (request.body.empty()) {
    return fail(Error(ErrorCode::invalid_argument, "the request has no body")
                    .with_reason("body.missing")
                    .with_remedy("send a JSON object with Content-Type: application/json"));
  }
  Result<Json> parsed = parse_json(request.body);
  if (!parsed) return fail(std::move(parsed).error());
  return JsonBody(std::move(*parsed));
}

JsonBody::JsonBody(Json value) : value_(std::make_unique<Json>(std::move(value))) {}
JsonBody::JsonBody(JsonBody&&) noexcept = default;
JsonBody::~JsonBody() {
  if (value_) wipe_strings(*value_);
}

}  // namespace inthub
