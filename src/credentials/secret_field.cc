#include "credentials/secret_field.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "foundation/json.h"

namespace inthub {
namespace {

constexpr std::size_t kMaxNamedKeys = 20;
constexpr std::size_t kMaxKeyBytes = 64;

/// Overwrites every string of the tree before its memory is given back.
void wipe_all(Json& value) {
  if (value.is_string()) wipe(value.get_ref<std::string&>());
  if (value.is_structured()) {
    for (Json& member : value) wipe_all(member);
  }
}

struct WipedJson {
  Json value;
  explicit WipedJson(Json taken) : value(std::move(taken)) {}
  WipedJson(const WipedJson&) = delete;
  WipedJson& operator=(const WipedJson&) = delete;
  ~WipedJson() { wipe_all(value); }
};

std::string name_keys(const Json& object) {
  std::string names;
  std::size_t named = 0;
  for (const auto& [key, value] : object.items()) {
    if (named == kMaxNamedKeys) return names + ", …";
    // A cut may fall into a character; cutting between bytes below 0x80 only keeps the message valid UTF-8.
    std::size_t end = std::min(key.size(), kMaxKeyBytes);
    while (end > 0 && end < key.size() && (static_cast<unsigned char>(key[end]) & 0xC0) == 0x80) --end;
    names += (named++ == 0 ? "" : ", ") + key.substr(0, end);
  }
  return names.empty() ? "none" : names;
}

const Json* find_member(const Json& document, const std::string& field) {
  if (field.front() != '/') {
    const auto found = document.find(field);
    return found == document.end() ? nullptr : &*found;
  }
  const Json::json_pointer pointer(field);  // its escapes were checked when the ref was parsed
  return document.contains(pointer) ? &document.at(pointer) : nullptr;
}

}  // namespace

Result<SecretPtr> select_field(const Secret& document, const std::string& field) {
  auto parsed = parse_json(document.reveal());
  if (!parsed) {
    return fail(Error(ErrorCode::validation_failed, "a field of the secret is asked for, but the secret is not JSON")
                    .with_remedy("leave out the #field, or store a JSON object"));
  }
  const WipedJson json(*std::move(parsed));
  if (!json.value.is_object()) {
    return fail(
        Error(ErrorCode::validation_failed, "a field of the secret is asked for, but the secret is no JSON object")
            .with_remedy("leave out the #field, or store a JSON object"));
  }
  try {
    if (const Json* member = find_member(json.value, field)) {
      std::string text = member->is_string() ? member->get<std::string>() : to_text(*member);
      return make_secret(std::move(text));
    }
  } catch (const Json::exception&) {  // NOLINT(bugprone-empty-catch): an index such as "/list/-" names nothing
  }
  return fail(Error(ErrorCode::validation_failed,
                    fmt::format("the secret has no such field; its top-level keys are: {}", name_keys(json.value)))
                  .with_remedy("name one of them after '#', or a JSON pointer that begins with '/'"));
}

}  // namespace inthub
