#include "server/rest/integration_input.h"

#include <nlohmann/json.hpp>

#include "server/rest/body_reader.h"

namespace inthub {
namespace {

/// A draft's name for the rules and messages; it is not stored.
constexpr std::string_view kDraftName = "draft";

void read_credentials(Json& value, IntegrationInput& input, std::vector<Violation>& violations) {
  ObjectReader credentials(value, "/credentials", violations);
  std::string* ref = credentials.optional_text("ref");
  std::string* secret = credentials.optional_text("secret");
  credentials.refuse_unknown_members();
  if (secret != nullptr && !secret->empty()) {
    input.credential.secret = make_secret(std::move(*secret));
  } else if (secret != nullptr) {
    credentials.violate("secret", "an empty secret is none; leave credentials out, or give a ref", "length");
  }
  if (ref != nullptr && !ref->empty()) {
    input.credential.ref = *ref;
  } else if (ref != nullptr) {
    credentials.violate("ref", "an empty ref is none; authref://none says that no credential is needed", "length");
  }
  if (ref != nullptr && secret != nullptr) {
    violations.push_back(
        {.field = "/credentials",
         .message = "ref and secret exclude each other: give the place of the secret, or the secret itself",
         .code = "exclusive"});
  }
  if (value.is_object() && value.empty()) {
    violations.push_back({.field = "/credentials",
                          .message = "give ref or secret; leave credentials out to give none",
                          .code = "required"});
  }
}

}  // namespace

ParsedInput read_integration_input(Json& body, InputPurpose purpose) {
  ParsedInput parsed;
  IntegrationInput& input = parsed.input;
  ObjectReader reader(body, "", parsed.violations);
  std::string* type = purpose == InputPurpose::update ? reader.optional_text("type") : reader.required_text("type");
  std::string* name = purpose == InputPurpose::test ? reader.optional_text("name") : reader.required_text("name");
  Json* config = reader.required_object("config");
  Json* credentials = reader.optional_member("credentials");
  reader.refuse_unknown_members();
  if (type != nullptr) input.type = *type;
  if (name != nullptr) {
    input.name = *name;
  } else if (purpose == InputPurpose::test) {
    input.name = kDraftName;
  }
  input.config = share(config != nullptr ? std::move(*config) : Json::object());
  if (credentials != nullptr) read_credentials(*credentials, input, parsed.violations);
  return parsed;
}

}  // namespace inthub
